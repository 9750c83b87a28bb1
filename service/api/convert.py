"""From validated bodies to requests of the domain, within the limits of this service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from service.api.problems import InvalidFields
from service.api.schemas import (
    ConditionBody,
    FiltersBody,
    RecentAction,
    RecommendBody,
    RecommendQuery,
    SimilarBody,
)
from service.domain.actions import ACTION_CODES
from service.domain.attributes import Kind
from service.domain.requests import NO_FILTERS, Condition, Filters, Request, SimilarRequest
from service.domain.sessions import EMPTY_SESSION, Session
from service.ports.serving import Attribute, Releases

FUTURE_S = 300
"""Clocks of callers may run ahead by this much."""
CONTRACT_ID_CHARS = 256


class Limits(Protocol):
    """The settings that bound a request."""

    @property
    def k_max(self) -> int: ...
    @property
    def id_chars(self) -> int: ...
    @property
    def excluded_max(self) -> int: ...
    @property
    def recent_actions_max(self) -> int: ...


def recommend_request(
    body: RecommendBody, limits: Limits, releases: Releases, timeout_ms: float, now_s: float
) -> Request:
    """The request of a body.

    Raises:
        InvalidFields: something is above a limit, an action lies in the future, or the filters
            are not those of the live release.
        NotReady: there are filters, and no release is live.
    """
    k = _k(body, limits)
    _check_length("recent_actions", body.recent_actions, limits.recent_actions_max)
    _check_length("exclude_item_ids", body.exclude_item_ids, limits.excluded_max)
    named = (body.user_id, body.anonymous_id, body.session_id)
    check_ids(limits, *named, *body.exclude_item_ids, *(a.item_id for a in body.recent_actions))
    return Request(
        k=k,
        user_id=body.user_id,
        anonymous_id=body.anonymous_id,
        session_id=body.session_id,
        scenario=body.scenario,
        context=body.context,
        recent_actions=_session(body.recent_actions, now_s),
        exclude_item_ids=tuple(body.exclude_item_ids),
        continues=body.recommendation_id,
        sponsored_item_ids=tuple(body.sponsored_item_ids),
        exclude_seen=body.exclude_seen,
        exclude_purchased=body.exclude_purchased,
        filters=_filters(body.filters, releases),
        explore=body.explore,
        strict=body.strict,
        explain=body.explain,
        timeout_ms=timeout_ms,
        experiment=body.experiment,
    )


def query_request(query: RecommendQuery, limits: Limits, timeout_ms: float) -> Request:
    """The request of a query string.

    Raises:
        InvalidFields: something is above a limit.
    """
    k = _k(query, limits)
    check_ids(limits, query.user_id)
    return Request(
        k=k,
        user_id=query.user_id,
        scenario=query.scenario,
        context={} if query.country is None else {"country": query.country},
        exclude_seen=query.exclude_seen,
        exclude_purchased=query.exclude_purchased,
        explore=query.explore,
        strict=query.strict,
        explain=query.explain,
        timeout_ms=timeout_ms,
    )


def similar_request(
    body: SimilarBody, limits: Limits, releases: Releases, timeout_ms: float
) -> SimilarRequest:
    """The request of a body.

    Raises:
        InvalidFields: something is above a limit, or the filters are not those of the live release.
        NotReady: there are filters, and no release is live.
    """
    k = _k(body, limits)
    _check_length("exclude_item_ids", body.exclude_item_ids, limits.excluded_max)
    check_ids(limits, body.item_id, *body.exclude_item_ids)
    return SimilarRequest(
        item_id=body.item_id,
        k=k,
        exclude_item_ids=tuple(body.exclude_item_ids),
        filters=_filters(body.filters, releases),
        strict=body.strict,
        explain=body.explain,
        timeout_ms=timeout_ms,
    )


def check_ids(limits: Limits, *ids: str | None) -> None:
    """The schema holds the contract's 256 characters; a service may allow fewer."""
    if limits.id_chars < CONTRACT_ID_CHARS:
        for given in ids:
            if given is not None and len(given) > limits.id_chars:
                raise InvalidFields([("ids", f"have at most {limits.id_chars} characters here")])


def _k(body: RecommendBody | RecommendQuery | SimilarBody, limits: Limits) -> int:
    if body.k <= limits.k_max:
        return body.k
    if "k" in body.model_fields_set:
        raise InvalidFields([("k", f"at most {limits.k_max} here")])
    return limits.k_max


def _check_length(field: str, values: Sequence[object], most: int) -> None:
    if len(values) > most:
        raise InvalidFields([(field, f"at most {most} here")])


PARTS = {
    Kind.CATEGORY: ("any", "none"),
    Kind.TAGS: ("any", "none"),
    Kind.NUMBER: ("min", "max"),
    Kind.FLAG: ("is_",),
}
"""What can be asked of an attribute of each kind."""


def _filters(body: FiltersBody | None, releases: Releases) -> Filters:
    """The filters, checked against what the live release declares.

    Raises:
        NotReady: no release is live.
        InvalidFields: an attribute that is not declared, or a condition of another kind.
    """
    if not body:
        return NO_FILTERS
    declared = releases.live.catalogue.attributes
    wrong = [error for name, asked in body.items() for error in _unfit(name, asked, declared)]
    if wrong:
        raise InvalidFields(wrong)
    return Filters.of({name: _condition(asked) for name, asked in body.items()})


def _unfit(
    name: str, asked: ConditionBody, declared: Mapping[str, Attribute]
) -> Iterator[tuple[str, str]]:
    if name not in declared:
        yield f"filters.{name}", f"unknown attribute; declared are {', '.join(sorted(declared))}"
        return
    kind = declared[name].kind
    for part in sorted(asked.model_fields_set - set(PARTS[kind])):
        fitting = " and ".join(each.rstrip("_") for each in PARTS[kind])
        detail = f"not for an attribute of the kind {kind}: it takes {fitting}"
        yield f"filters.{name}.{part.rstrip('_')}", detail


def _condition(asked: ConditionBody) -> Condition:
    return Condition(
        any_of=tuple(asked.any),
        none_of=tuple(asked.none),
        at_least=asked.min,
        at_most=asked.max,
        is_set=asked.is_,
    )


def _session(actions: Sequence[RecentAction], now_s: float) -> Session:
    """The actions by time, those without a time at the end in their own order."""
    if not actions:
        return EMPTY_SESSION
    at_s = np.array(_times(actions, now_s))
    order = np.argsort(at_s, kind="stable").tolist()
    return Session(
        item_ids=tuple(actions[i].item_id for i in order),
        action_types=np.array([ACTION_CODES[actions[i].event_type] for i in order], dtype=np.int64),
        at_s=at_s[order],
    )


def _times(actions: Sequence[RecentAction], now_s: float) -> list[float]:
    times = []
    for i, action in enumerate(actions):
        at_s = now_s if action.timestamp is None else action.timestamp
        if at_s > now_s + FUTURE_S:
            raise InvalidFields([(f"recent_actions.{i}.timestamp", "lies in the future")])
        times.append(min(at_s, now_s))
    return times

"""The first k, as the answer."""

import secrets

import numpy as np

from service.domain.arrays import Vector
from service.domain.candidates import Candidates
from service.domain.recommendations import Recommendation
from service.domain.requests import Query
from service.domain.sources import SOURCE_WORDS, Source
from service.domain.traces import Trace
from service.ports.serving import Release

_REASONS: tuple[tuple[str, ...], ...] = tuple(
    {
        Source.ANN: ("near_recent_actions",),
        Source.AGAIN: ("own_item",),
        Source.CONTENT: ("like_recent_items",),
    }.get(source, (SOURCE_WORDS[source],))
    for source in Source
)


def truncate(
    found: Candidates, query: Query, release: Release, vector: Vector | None, trace: Trace
) -> Recommendation:
    """The finished answer; a list shorter than asked for is noted as `short`."""
    items = found.head(query.request.k)
    if query.deadline.has_passed:
        trace.degrade("deadline")
    if len(items) < query.request.k:
        trace.degrade("short")
    session = query.session
    known = query.rows[query.rows >= 0]
    reasons = tuple(map(_REASONS.__getitem__, items.sources.tolist()))
    if query.request.explain and vector is not None:
        reasons = _because(items, known, reasons, release)
    return Recommendation(
        recommendation_id=secrets.token_hex(12),
        items=items,
        item_ids=release.catalogue.ids_of(items.rows),
        reasons=reasons,
        requested=query.request.k,
        segment=query.segment,
        release=release.name,
        embedding_version=release.embedding_version,
        signal_actions=min(len(known), release.history_length),
        signal_age_s=session.age_s(query.now_s),
        session_actions=query.session_actions,
        missing_ids=_missing(query, release),
    )


def _missing(query: Query, release: Release) -> tuple[str, ...]:
    """Ids that the request named and the catalogue does not know, each once."""
    request = query.request
    is_all_known = (query.rows >= 0).all()  # what was brought is part of the session
    brought = () if is_all_known else request.recent_actions.item_ids
    asked = (*brought, *request.exclude_item_ids, *request.sponsored_item_ids)
    ids = tuple(dict.fromkeys(asked))
    rows = release.catalogue.rows_of(ids).tolist()
    return tuple(item_id for item_id, row in zip(ids, rows, strict=True) if row < 0)


def _because(
    items: Candidates, known: np.ndarray, reasons: tuple[tuple[str, ...], ...], release: Release
) -> tuple[tuple[str, ...], ...]:
    """Adds to each near item the recent item whose vector lies nearest to it."""
    if not len(known) or not len(items):
        return reasons
    vectors = release.catalogue.vectors
    nearest = known[np.argmax(vectors[items.rows] @ vectors[known].T, axis=1)]
    return tuple(
        (*why, f"because_of:{release.catalogue.item_ids[row]}") if source == Source.ANN else why
        for why, row, source in zip(reasons, nearest.tolist(), items.sources.tolist(), strict=True)
    )

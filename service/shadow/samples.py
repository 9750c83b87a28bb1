"""A live request with what was answered, and the line in which it goes to a staged release."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.domain.recommendations import Recommendation
from service.domain.requests import Condition, Filters, Request
from service.domain.sessions import EMPTY_SESSION, Session
from service.domain.sources import Source
from service.domain.traces import Trace

EDGE_STAGES = frozenset({"parse", "encode"})
"""What the HTTP edge does; a replay has no edge."""
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Answered:
    """What is compared of a list.

    Attributes:
        item_ids: best first.
        score: mean score of its near items (source `ann`), None without any.
        duration_ms: the stages of the read path, without parsing and encoding.
    """

    item_ids: tuple[str, ...]
    score: float | None
    degraded: tuple[str, ...]
    duration_ms: float

    @classmethod
    def of(cls, answer: Recommendation, trace: Trace) -> "Answered":
        near = answer.items.scores[answer.items.sources == Source.ANN]
        spent_s = sum(s.duration_s for s in trace.stages if s.name not in EDGE_STAGES)
        return cls(
            item_ids=answer.item_ids,
            score=round(float(near.mean()), DIGITS) if len(near) else None,
            degraded=tuple(trace.degraded),
            duration_ms=round(spent_s * 1000, 3),
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """One live request that was drawn.

    Attributes:
        segment: as judged when it was answered.
        release: which release answered.
    """

    request: Request
    segment: str
    release: str
    live: Answered


def encode_sample(sample: Sample) -> dict[str, Any]:
    """JSON values; the person's history is not among them, the replay reads it itself."""
    request, brought = sample.request, sample.request.recent_actions
    session = {
        "item_ids": brought.item_ids,
        "action_types": brought.action_types.tolist(),
        "at_s": brought.at_s.tolist(),
    }
    return {
        "request": {
            **_plain(request),
            "filters": [[name, _plain(one)] for name, one in request.filters.conditions],
            "recent_actions": session,
        },
        "segment": str(sample.segment),
        "release": sample.release,
        "live": _plain(sample.live),
    }


def decode_sample(message: dict[str, Any]) -> Sample:
    """The sample of `encode_sample`.

    Raises:
        KeyError, TypeError, ValueError: the message is none.
    """
    plain, live = dict(message["request"]), dict(message["live"])
    filters, brought = plain.pop("filters"), plain.pop("recent_actions")
    request = Request(
        **{**plain, **_tuples(plain, "exclude_item_ids", "sponsored_item_ids")},
        filters=Filters(tuple((name, _condition(one)) for name, one in filters)),
        recent_actions=_session(brought),
    )
    answered = Answered(**{**live, **_tuples(live, "item_ids", "degraded")})
    return Sample(request, message["segment"], message["release"], answered)


def _condition(plain: dict[str, Any]) -> Condition:
    return Condition(**{**plain, **_tuples(plain, "any_of", "none_of")})


def _plain(value: Request | Condition | Answered) -> dict[str, Any]:
    """The fields as they are; `dataclasses.asdict` would copy every item of a list."""
    return {name: getattr(value, name) for name in value.__slots__}


def _tuples(values: dict[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values[name]) for name in names}


def _session(brought: dict[str, Any]) -> Session:
    if not brought["item_ids"]:
        return EMPTY_SESSION
    return Session(
        item_ids=tuple(brought["item_ids"]),
        action_types=np.array(brought["action_types"], dtype=np.int64),
        at_s=np.array(brought["at_s"], dtype=np.float64),
    )


def as_line(message: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"

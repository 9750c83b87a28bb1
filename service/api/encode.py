"""Answers as bytes, straight from the arrays: no model is built on the way out."""

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from service.api.exchange import JSON, Header
from service.domain.candidates import Candidates
from service.domain.recommendations import Recommendation
from service.domain.sources import SOURCE_WORDS, Source
from service.domain.traces import Trace

SCORE_DIGITS = 6
IS_SPONSORED = tuple(source is Source.SPONSORED for source in Source)


def encode_answer(answer: Recommendation, trace: Trace, explain: bool) -> bytes:
    """The JSON document of a list."""
    document: dict[str, object] = {
        "recommendation_id": answer.recommendation_id,
        "items": _items(answer),
        "requested": answer.requested,
        "count": len(answer.item_ids),
        "segment": answer.segment,
        "degraded": {"is_degraded": bool(trace.degraded), "reasons": trace.degraded},
        "versions": {"release": answer.release, "embedding": answer.embedding_version},
        "signal": {
            "actions": answer.signal_actions,
            "age_s": _rounded(answer.signal_age_s),
            "session_actions": answer.session_actions,
        },
        "rules": trace.removed,
        "is_thinned": trace.is_thinned,
        "missing_ids": answer.missing_ids,
        "timing_ms": _timing(trace),
    }
    if explain:
        document["explain"] = _explanation(trace)
    return orjson.dumps(document)


def answer_headers(trace: Trace) -> tuple[Header, ...]:
    """Content type, and the time of each stage."""
    timing = ", ".join(f"{stage.name};dur={_ms(stage.duration_s)}" for stage in trace.stages)
    return JSON, (b"server-timing", timing.encode())


def _items(answer: Recommendation) -> list[dict[str, object]]:
    items = answer.items
    columns = zip(
        range(1, len(items) + 1),
        answer.item_ids,
        _numbers(items.scores),
        items.sources.tolist(),
        answer.reasons,
        _propensities(items),
        strict=True,
    )
    return [
        {
            "item_id": item_id,
            "score": score,
            "rank": rank,
            "source": SOURCE_WORDS[source],
            "reasons": reasons,
            "propensity": propensity,
            "sponsored": IS_SPONSORED[source],
        }
        for rank, item_id, score, source, reasons, propensity in columns
    ]


def _numbers(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> list[float]:
    """Numbers with the digits that float32 holds; NaN becomes null in JSON."""
    numbers: list[float] = values.astype(np.float64).round(SCORE_DIGITS).tolist()
    return numbers


def _propensities(items: Candidates) -> Sequence[float | None]:
    """Mostly there are none, and then there is nothing to look at."""
    if Source.EXPLORATION in items.sources.tobytes():
        return _numbers(items.propensities)
    return [None] * len(items)


def _timing(trace: Trace) -> Mapping[str, float]:
    timing = {"total": _ms(trace.elapsed_s)}
    for stage in trace.stages:
        timing[stage.name] = _ms(stage.duration_s)
    return timing


def _ms(duration_s: float) -> float:
    """Milliseconds to the microsecond; rounding properly would take three times as long."""
    return int(duration_s * 1e6) / 1000


def _explanation(trace: Trace) -> Mapping[str, object]:
    stages = [
        {"stage": stage.name, "ms": _ms(stage.duration_s), "error": stage.error}
        for stage in trace.stages
    ]
    person = {
        "is_account": trace.person.is_account,
        "ids": len(trace.person.ids),
        "unread": trace.person.unread,
    }
    return {"stages": stages, "person": person, "notes": trace.notes}


def _rounded(age_s: float | None) -> float | None:
    return None if age_s is None else round(age_s, 3)

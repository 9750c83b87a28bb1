"""What the report of a staged release says, checked by hand."""

import json
import math

import numpy as np
import pytest

from service.domain.requests import Condition, Filters, Request
from service.shadow.comparison import Comparison, Mean, overlap
from service.shadow.samples import Answered, Sample, as_line, decode_sample, encode_sample
from tests.factories import make_session

AT_MOST = Condition(at_most=9.5)
LIVE = Answered(("a", "b", "c", "d"), 0.5, (), 2.0)


def make_sample(live: Answered = LIVE, segment: str = "casual", release: str = "old") -> Sample:
    return Sample(Request(k=4), segment, release, live)


def answered(*item_ids: str, **changes: object) -> Answered:
    values = {"score": 0.4, "degraded": (), "duration_ms": 3.0, **changes}
    return Answered(item_ids, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        (("a", "b"), ("b", "a"), 1.0),
        (("a", "b"), ("c", "d"), 0.0),
        (("a", "b", "c", "d"), ("a", "b"), 0.5),
        (("a",), (), 0.0),
        ((), (), 1.0),
    ],
)
def test_overlap_is_the_share_of_the_longer_list(
    some: tuple[str, ...], others: tuple[str, ...], expected: float
) -> None:
    assert overlap(some, others) == overlap(others, some) == expected


def test_a_running_mean_is_the_mean_with_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 500)
    mean = Mean()
    for value in values.tolist():
        mean.add(value)
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert mean.document() == {
        "mean": pytest.approx(values.mean(), abs=1e-4),
        "standard_error": pytest.approx(error, abs=1e-4),
    }
    assert mean.needed == math.ceil((1.96 * values.std(ddof=1) / 0.01) ** 2)


def test_one_value_has_no_standard_error() -> None:
    mean = Mean()
    assert mean.document() == {"mean": None, "standard_error": None}
    mean.add(0.5)
    assert mean.document() == {"mean": 0.5, "standard_error": None}
    assert mean.needed is None


def test_the_report_compares_lists_scores_latency_and_what_is_empty_or_degraded() -> None:
    comparison = Comparison()
    comparison.add(make_sample(), answered("a", "b", "x", "y"))
    comparison.add(
        make_sample(segment="new", release="older"),
        answered(score=None, degraded=("tower", "short")),
    )
    report = comparison.document()
    assert report["against"] == {"old": 1, "older": 1}
    assert report["requests"] == 2
    assert report["overlap_at_k"] == {"mean": 0.25, "standard_error": 0.25}
    assert report["degraded"] == {"live": 0.0, "staged": 0.5}
    assert report["empty"] == {"live": 0.0, "staged": 0.5}
    score = report["score"]
    assert score == {
        **{"live": 0.5, "staged": 0.4},
        "difference": {"mean": -0.1, "standard_error": None},
    }
    steps = report["overlap_distribution"]
    assert {step: n for step, n in steps.items() if n} == {"0.0": 1, "0.5": 1}  # type: ignore[attr-defined]
    assert report["latency_ms"] == {
        "live": {"p50": 2.0, "p95": 2.0, "p99": 2.0},
        "staged": {"p50": 3.0, "p95": 3.0, "p99": 3.0},
    }
    assert set(report["segments"]) == {"casual", "new"}  # type: ignore[arg-type]


def test_only_the_first_ten_count_at_10() -> None:
    live = answered(*(f"i{i}" for i in range(20)))
    staged = answered(*(f"i{i}" for i in [*range(10), *range(100, 110)]))
    comparison = Comparison()
    comparison.add(make_sample(live), staged)
    report = comparison.document()
    assert report["overlap_at_10"]["mean"] == 1.0  # type: ignore[index]
    assert report["overlap_at_k"]["mean"] == 0.5  # type: ignore[index]


def test_a_sample_survives_its_line() -> None:
    request = Request(
        k=7,
        user_id="ann",
        anonymous_id="d-1",
        context={"country": "France"},
        recent_actions=make_session(("i1", "view"), ("i2", "purchase")),
        exclude_item_ids=("i9", "\ud800"),
        exclude_purchased=True,
        filters=Filters.of(
            {"category": Condition(any_of=("toys",)), "price": Condition(at_most=9.5)}
        ),
        sponsored_item_ids=("i3",),
        explore=0.25,
    )
    sample = Sample(request, "power", "old", LIVE)
    again = decode_sample(json.loads(as_line(encode_sample(sample))))
    assert again.request.recent_actions.item_ids == request.recent_actions.item_ids
    assert np.array_equal(again.request.recent_actions.at_s, request.recent_actions.at_s)
    assert encode_sample(again) == encode_sample(sample)
    plain = Sample(Request(), "new", "old", LIVE)
    assert decode_sample(json.loads(as_line(encode_sample(plain)))) == plain

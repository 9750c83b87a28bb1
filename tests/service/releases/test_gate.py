"""What keeps a worse release from going live, and what does not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import ReleaseRefused
from service.releases.gate import check_promotion, compare, objections
from service.releases.manifest import FILE, Manifest, read_manifest

CASES = {"new": 400, "sparse": 40, "power": 2000}


@pytest.fixture(scope="module")
def plain(clean: Path) -> Manifest:
    """Of a release that was never measured."""
    return read_manifest(clean / FILE)


@pytest.fixture(scope="module")
def live(plain: Manifest) -> Manifest:
    """A measured one."""
    return replace(plain, release="live", metrics=metrics(0.2, dict.fromkeys(CASES, 0.2)))


def metrics(
    overall: float, segments: Mapping[str, float], cases: Mapping[str, int] = CASES
) -> dict[str, object]:
    """As `quick_metrics` makes them: one row that counts, and one that does not."""
    worthless = row("Popularity", 0.0, dict.fromkeys(segments, 0.0))
    return {
        "protocol": "next order",
        "targets": {
            "next order": {
                "cases": sum(cases.values()),
                "users": 10,
                "segment_cases": dict(cases),
                "served": "Tower, last 20",
                "rows": [worthless, row("Tower, last 20", overall, segments)],
            }
        },
    }


def row(name: str, overall: float, segments: Mapping[str, float]) -> dict[str, object]:
    return {
        "name": name,
        "overall": {"ndcg@10": around(overall), "recall@50": around(0.9)},
        "segments": {segment: {"ndcg@10": around(value)} for segment, value in segments.items()},
    }


def around(value: float) -> list[float]:
    return [value, value - 0.01, value + 0.01]


def measured_anew(live: Manifest, overall: float, **segments: float) -> Manifest:
    values = dict.fromkeys(CASES, 0.2) | segments
    return replace(live, release="new", metrics=metrics(overall, values))


@pytest.mark.parametrize(
    ("overall", "segments", "blamed"),
    [
        (0.2, {}, []),
        (0.25, {"new": 0.3}, []),
        (0.1961, {}, []),  # 1.95 % lower
        (0.1959, {}, ["everybody"]),  # 2.05 %
        (0.2, {"power": 0.1901}, []),  # 4.95 %
        (0.2, {"power": 0.1899}, ["power"]),  # 5.05 %
        (0.1, {"new": 0.1, "power": 0.1}, ["everybody", "new", "power"]),
    ],
)
def test_more_than_2_percent_overall_or_5_in_a_segment_blocks(
    live: Manifest, overall: float, segments: dict[str, float], blamed: list[str]
) -> None:
    found = objections(measured_anew(live, overall, **segments), live)
    accused = [sentence.split(":")[0].removeprefix("next order, ") for sentence in found]
    assert accused == blamed


def test_an_objection_says_how_much_and_how_sure(live: Manifest) -> None:
    (sentence,) = objections(measured_anew(live, 0.18), live)
    assert "10.0% lower" in sentence
    assert "0.1800 [0.1700, 0.1900] over 2,440 cases" in sentence
    assert "at most 2% is allowed" in sentence


def test_a_segment_of_few_cases_is_reported_and_blocks_nothing(live: Manifest) -> None:
    verdict = compare(measured_anew(live, 0.2, sparse=0.05), live)
    assert not verdict.objections
    (remark,) = verdict.remarks
    assert "sparse" in remark
    assert "75.0% lower" in remark
    assert "too few to judge by" in remark


def test_a_segment_that_has_no_cases_any_more_is_reported(live: Manifest) -> None:
    cases = {name: n for name, n in CASES.items() if name != "new"}
    new = replace(live, release="new", metrics=metrics(0.2, dict.fromkeys(cases, 0.2), cases))
    assert compare(new, live).remarks == ("next order, new: no cases any more",)


def test_what_was_measured_otherwise_is_not_compared(live: Manifest, plain: Manifest) -> None:
    worse = measured_anew(live, 0.1)
    other_data = replace(worse, data={"name": "another shop"})
    other_protocol = replace(worse, metrics={**worse.metrics, "protocol": "next week"})
    refreshed = replace(live, release="refreshed")
    for new in (plain, other_data, other_protocol, refreshed):
        verdict = compare(new, live)
        assert not verdict.objections
        (remark,) = verdict.remarks
        assert remark.startswith("quality could not be compared: ")
    assert compare(worse, plain).remarks


@pytest.mark.parametrize(
    "unknown", [{"targets": 3}, {"targets": {"a": {}}}, {"targets": {"a": {"rows": [{}]}}}]
)
def test_metrics_that_cannot_be_read_are_not_compared(
    live: Manifest, unknown: dict[str, object]
) -> None:
    verdict = compare(replace(live, release="new", metrics=unknown), live)
    assert not verdict.objections
    assert "new says nothing of its quality" in verdict.remarks[0]


@pytest.mark.parametrize(
    ("n_items", "blocks"), [(900, False), (1500, False), (899, True), (1501, True)]
)
def test_a_catalogue_of_quite_another_size_blocks(
    plain: Manifest, n_items: int, blocks: bool
) -> None:
    live, new = replace(plain, n_items=1000), replace(plain, n_items=n_items)
    assert bool(objections(new, live)) == blocks


@pytest.mark.parametrize(("recall", "blocks"), [(1.0, False), (0.971, False), (0.969, True)])
def test_an_index_that_finds_less_blocks(plain: Manifest, recall: float, blocks: bool) -> None:
    live, new = (replace(plain, index=replace(plain.index, recall=r)) for r in (0.98, recall))
    assert bool(objections(new, live)) == blocks


@pytest.mark.parametrize(("gini", "blocks"), [(0.1, False), (0.649, False), (0.651, True)])
def test_lists_that_few_items_take_over_block(plain: Manifest, gini: float, blocks: bool) -> None:
    live, new = (
        replace(plain, exposure=replace(plain.exposure, gini=value)) for value in (0.6, gini)
    )
    assert bool(objections(new, live)) == blocks


def test_a_refusal_names_every_figure_and_the_way_out(live: Manifest) -> None:
    check_promotion(live, live)
    worse = replace(measured_anew(live, 0.1), n_items=live.n_items * 2)
    with pytest.raises(ReleaseRefused, match=r"\+100\.0%.*50\.0% lower.*to force it") as refused:
        check_promotion(worse, live)
    assert refused.value.reason == "gate_items"
    with pytest.raises(ReleaseRefused) as refused:
        check_promotion(measured_anew(live, 0.1), live)
    assert refused.value.reason == "gate_metrics"

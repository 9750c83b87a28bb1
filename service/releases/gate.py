"""The promotion gate: is a release as good as the one that it would replace?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import ReleaseRefused
from service.releases.manifest import Manifest

MEASURE, SHOWN = "ndcg@10", "NDCG@10"
OVERALL_LOSS, SEGMENT_LOSS = 0.02, 0.05
"""Shares of the live release's NDCG@10 that may be lost: over everybody, and in one segment."""
CASES_NEEDED = 100
"""With fewer cases than this the 95 % interval is wider than half of the value: noise decides."""
FORCED = "forced"
"""Name in the manifest's `data` of the reason why it was published although the gate objected."""
ITEMS_LOST, ITEMS_GAINED = 0.10, 0.50
RECALL_LOST = 0.01
GINI_GAINED = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found, in sentences with their figures.

    Attributes:
        objections: each blocks activation, unless it is forced with a reason.
        remarks: what could not be compared, or is too small to judge by; they block nothing.
    """

    objections: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """NDCG@10 of one group of people: the cases behind it, its value and its 95 % interval."""

    cases: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}] over {self.cases:,} cases"


Group = tuple[str, str]
"""Target and segment; the segment of everybody is empty."""


def compare(new: Manifest, live: Manifest) -> Verdict:
    """Compares a release with the one that it would replace, by what their manifests say.

    Quality is judged by point values, of the row that a release answers like, target by target
    and segment by segment. Two releases are compared when they were measured by the same protocol
    on data of the same name, also if the newer one has newer events and so other cases. What was
    forced when it was published is forced everywhere.
    """
    quality, remarks = _quality(new, live)
    found = (*_items(new, live), *_recall(new, live), *_exposure(new, live), *quality)
    if FORCED not in new.data:
        return Verdict(found, remarks)
    return Verdict((), (f"forced when published: {new.data[FORCED]}", *found, *remarks))


def objections(new: Manifest, live: Manifest) -> tuple[str, ...]:
    """Why a release should not replace the live one; empty when nothing speaks against it."""
    return compare(new, live).objections


def check_promotion(new: Manifest, live: Manifest) -> None:
    """Refuses a release that should not replace the live one.

    Raises:
        ReleaseRefused: "gate_items" for a catalogue of quite another size, else "gate_metrics";
            with every objection.
    """
    found = objections(new, live)
    if found:
        is_size = found[0] in _items(new, live)
        raise ReleaseRefused(
            "gate_items" if is_size else "gate_metrics",
            f"{new.release} is worse than {live.release}: {'; '.join(found)}; "
            "activate it with a reason to force it",
        )


def _items(new: Manifest, live: Manifest) -> Iterator[str]:
    change = new.n_items / live.n_items - 1
    if not -ITEMS_LOST <= change <= ITEMS_GAINED:
        yield (
            f"{new.n_items:,} items after {live.n_items:,} ({change:+.1%}): "
            f"-{ITEMS_LOST:.0%} to +{ITEMS_GAINED:.0%} is allowed"
        )


def _recall(new: Manifest, live: Manifest) -> Iterator[str]:
    before, after = live.index.recall, new.index.recall
    if after < before - RECALL_LOST:
        yield (
            f"the index reaches a recall of {after:.4f} after {before:.4f}: "
            f"at most {RECALL_LOST} may be lost"
        )


def _exposure(new: Manifest, live: Manifest) -> Iterator[str]:
    before, after = live.exposure.gini, new.exposure.gini
    if after > before + GINI_GAINED:
        yield (
            f"few items take more of the lists: Gini {after:.3f} after {before:.3f}, "
            f"at most {GINI_GAINED} more is allowed"
        )


def _quality(new: Manifest, live: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Objections and remarks."""
    obstacle = _incomparable(new, live)
    if obstacle:
        return (), (f"quality could not be compared: {obstacle}",)
    before, after = measured(live.metrics), measured(new.metrics)
    against: list[str] = []
    remarks: list[str] = []
    for group, was in before.items():
        if group not in after:
            remarks.append(f"{_name(group)}: no cases any more")
            continue
        loss = 1 - after[group].value / was.value if was.value > 0 else 0.0
        if loss <= (SEGMENT_LOSS if group[1] else OVERALL_LOSS):
            continue
        is_sure = min(was.cases, after[group].cases) >= CASES_NEEDED
        (against if is_sure else remarks).append(_sentence(group, loss, after[group], was, is_sure))
    return tuple(against), tuple(remarks)


def _incomparable(new: Manifest, live: Manifest) -> str:
    """Why the metrics of two releases say nothing about each other; empty if they do."""
    for facts in (new, live):
        if not measured(facts.metrics):
            return f"{facts.release} says nothing of its quality"
    for what, part in (("protocol", "metrics"), ("name", "data")):
        was, now = (getattr(facts, part).get(what) for facts in (live, new))
        if was != now:
            return f"{part}.{what} is {now!r} after {was!r}"
    if new.metrics == live.metrics:
        return f"{new.release} has the figures of {live.release}, it was not measured anew"
    return ""


def measured(metrics: Any) -> dict[Group, Measured]:
    """What a manifest says of the row that the release answers like; empty where it does not."""
    try:
        return dict(_groups(metrics["targets"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _groups(targets: Mapping[str, Any]) -> Iterator[tuple[Group, Measured]]:
    for target, found in targets.items():
        row = {row["name"]: row for row in found["rows"]}[found["served"]]
        yield (target, ""), Measured(int(found["cases"]), *row["overall"][MEASURE])
        for segment, measures in row["segments"].items():
            cases = int(found["segment_cases"][segment])
            yield (target, segment), Measured(cases, *measures[MEASURE])


def _sentence(group: Group, loss: float, now: Measured, was: Measured, is_sure: bool) -> str:
    limit = SEGMENT_LOSS if group[1] else OVERALL_LOSS
    allowed = f"at most {limit:.0%} is allowed"
    few = f"fewer than {CASES_NEEDED} cases are too few to judge by"
    return (
        f"{_name(group)}: {SHOWN} is {loss:.1%} lower, {now} after {was}: "
        f"{allowed if is_sure else few}"
    )


def _name(group: Group) -> str:
    target, segment = group
    return f"{target}, {segment or 'everybody'}"

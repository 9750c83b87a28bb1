"""An evaluation as Markdown: limits of information in the row names, groups never mixed."""

from collections.abc import Iterator
from datetime import UTC, datetime

from models.evaluation.metrics import MEASURES, Estimate
from models.evaluation.results import Difference, Evaluation, LiveStep, Row, Target, UnseenItems
from models.evaluation.scorers import NOTHING

HEADINGS = {"recall": "R", "ndcg": "NDCG", "map": "MAP"}
GROUPS = (
    (False, "Frozen at the split: nothing but the user's own events is newer."),
    (
        True,
        "Fresh: other people's events up to the previous midnight are used, without retraining.",
    ),
)
SEGMENT_TITLES = {
    "new": "new (0)",
    "sparse": "sparse (1-4)",
    "casual": "casual (5-49)",
    "power": "power (50+)",
}
IN_SEGMENTS = ("Popularity, r", "Own history", "EASE on time-decayed", "Tower")


def markdown(evaluation: Evaluation) -> str:
    """The whole report; every table with its number of cases, intervals in brackets."""
    blocks = [*_head(evaluation)]
    for target in evaluation.targets:
        blocks += _target(target)
        if target.differences:
            blocks += _comparisons(target)
    if evaluation.live:
        blocks += _live(evaluation.live)
    if evaluation.unseen is not None and evaluation.unseen.cases:
        blocks += _unseen(evaluation.unseen)
    return "\n\n".join(blocks) + "\n"


def _head(evaluation: Evaluation) -> Iterator[str]:
    split, validation = (_day(s) for s in (evaluation.split_s, evaluation.validation_s))
    yield f"# Evaluation on {evaluation.log}"
    if evaluation.command:
        yield f"    {evaluation.command}"
    yield (
        f"{evaluation.events:,} events of {evaluation.users:,} users, {evaluation.items:,} items. "
        f"Test from {split} on; choices were made on {validation} to {split}. "
        f"Towers: {evaluation.towers}, {evaluation.history_length} actions. "
        f"Seed {evaluation.seed}. In brackets: 95 % intervals, bootstrap over users."
    )
    if evaluation.again_weight is not None:
        yield (
            f"Weight of the user's own items beside the cosine, chosen on validation: "
            f"{evaluation.again_weight:g}."
        )


def _target(target: Target) -> Iterator[str]:
    yield f"## Target: {target.name}"
    yield (
        f"{target.cases:,} cases of {target.users:,} users, {target.targets_per_case:.1f} targets "
        "each on average."
    )
    for fresh, title in GROUPS:
        rows = [row for row in target.rows if row.fresh == fresh]
        yield title
        yield table(
            ["method", *map(_heading, MEASURES), "coverage@50", "Gini@50", "chosen on validation"],
            [_row(row) for row in rows],
        )


def _comparisons(target: Target) -> Iterator[str]:
    yield "Paired differences on the same cases, only against rows with no newer information:"
    yield table(
        ["tower row", "minus", "R@50", "R@100", "NDCG@10"],
        [_difference(one) for one in target.differences],
    )
    yield "By segment, R@50 [interval] / NDCG@10:"
    segments = [f"{SEGMENT_TITLES[name]}, n = {n:,}" for name, n in target.segment_cases.items()]
    yield table(
        ["method", *segments],
        [
            [_name(row), *(_segment(row, name) for name in target.segment_cases)]
            for row in target.rows
            if row.name.startswith(IN_SEGMENTS)
        ],
    )


def _live(steps: tuple[LiveStep, ...]) -> Iterator[str]:
    yield "## The live effect"
    yield (
        f"{steps[0].cases:,} orders of ten and more lines; the tower sees some random lines of the "
        "running order, a minute old; targets are the rest without five fixed lines."
    )
    yield table(
        ["lines shown", "R@50", "NDCG@10", "gain in R@50", "gain in NDCG@10"],
        [
            [
                str(step.shown),
                *(estimate(step.measures[name]) for name in ("recall@50", "ndcg@10")),
                *(signed(step.gain[name]) for name in ("recall@50", "ndcg@10")),
            ]
            for step in steps
        ],
    )


def _unseen(unseen: UnseenItems) -> Iterator[str]:
    yield "## Items without history"
    yield (
        f"{unseen.items:,} items have no event before the split; {unseen.cases:,} cases hold one. "
        "Only such items are targets here."
    )
    yield table(
        ["method", "R@50, full catalogue", "R@10 among them", "R@50 among them"],
        [
            [
                f"{row.name} ({'fresh' if row.fresh else 'frozen'})",
                estimate(row.overall),
                *(estimate(row.among[name]) for name in ("recall@10", "recall@50")),
            ]
            for row in unseen.rows
        ],
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(row: Row) -> list[str]:
    measures = [estimate(row.measures[name]) for name in MEASURES]
    return [_name(row), *measures, f"{row.coverage:.3f}", f"{row.gini:.3f}", row.chosen]


def _name(row: Row) -> str:
    """The name with what it knows of the user, where it knows anything and does not say so."""
    name = row.name
    if row.information not in (NOTHING, "") and row.information.split()[0] not in name:
        name = f"{name} ({row.information})"
    return f"**{name}**" if name.startswith("Tower") else name


def _difference(one: Difference) -> list[str]:
    measures = [signed(one.measures[name]) for name in ("recall@50", "recall@100", "ndcg@10")]
    return [one.name, f"{one.against} ({one.why})", *measures]


def _segment(row: Row, name: str) -> str:
    if name not in row.segments:
        return "none"
    measures = row.segments[name]
    return f"{estimate(measures['recall@50'])} / {measures['ndcg@10'].value:.3f}"


def estimate(found: Estimate) -> str:
    """Value and interval."""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def signed(found: Estimate) -> str:
    """Difference and interval, with signs."""
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _heading(measure: str) -> str:
    kind, _, k = measure.partition("@")
    return f"{HEADINGS[kind]}@{k}"


def _day(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"

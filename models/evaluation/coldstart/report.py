"""The cold-start replay as Markdown."""

from collections.abc import Iterator
from datetime import UTC, datetime

from models.evaluation.coldstart.measuring import Line, Measured
from models.evaluation.coldstart.replay import Grid, Replay, Side
from models.evaluation.report import estimate, signed, table
from models.evaluation.results import UnseenItems

CHOOSING = (
    "S, the mean of Recall@50 and NDCG@10, on the validation period. *Content*: nearest to the "
    "mean of the few items' vectors, alone or dealt into the tower's list with this share of the "
    "places. *Popularity*: added to the inner product with this weight. *Falling*: the share or "
    "weight at no action, evenly down to 0 at so many."
)


def markdown(replay: Replay, command: str) -> str:
    """The whole report, computed table by table."""
    return "\n\n".join(_blocks(replay, command)) + "\n"


def _blocks(replay: Replay, command: str) -> Iterator[str]:
    log = replay.test.fits.log
    yield f"# Cold start on {log.name}"
    yield f"    {command}"
    validation, split = (_day(side.fits.until_s) for side in (replay.validation, replay.test))
    yield (
        f"Targets: the items of the order that are new to the person. Test from {split} on; "
        f"choices were made on {validation} to {split}. Everything is frozen at the beginning of "
        "its period; only the person's own actions are newer. In brackets: 95 % intervals, "
        "bootstrap over users. *As logged*: every order of people who had done so little. *Cut*: "
        "at most three orders of each person with ten and more actions, of which only the newest "
        "few are told; nothing older exists for anybody. *Interests*: the three commonest "
        "categories of what the person bought after the order; who never came back is left out."
    )
    yield "## Choices"
    yield CHOOSING
    yield _grid("cut to n actions, n =", replay.lengths())
    yield _grid("method", replay.choices())
    yield _grid("method", replay.stale_choices())
    yield _grid("method", replay.interest_choices())
    yield "## People"
    for measured in replay.tables():
        yield from _measured(measured)
    yield "## New items"
    for side in (replay.validation, replay.test):
        yield from _unseen(side, replay.unseen(side))


def _grid(what: str, grid: Grid) -> str:
    names = list(next(iter(grid.values())))
    if not names:
        return "No such person in the validation period."
    rows = [[name, *(f"{values[one]:.4f}" for one in names)] for name, values in grid.items()]
    return table([what, *names], rows)


def _measured(measured: Measured) -> Iterator[str]:
    yield f"### {measured.title}"
    yield (
        f"{measured.cases:,} cases of {measured.users:,} users, {measured.targets_per_case:.1f} "
        "targets each on average."
    )
    against = [f"R@50 and NDCG@10 minus {name}" for name in measured.against]
    yield table(["method", "R@50", "NDCG@10", *against], [_line(one) for one in measured.lines])


def _line(line: Line) -> list[str]:
    gains = [f"{signed(recall)}, {signed(ndcg)}" for recall, ndcg in line.gains]
    return [line.name, *(estimate(one) for one in line.measures), *gains]


def _unseen(side: Side, unseen: UnseenItems) -> Iterator[str]:
    yield (
        f"From {_day(side.period.from_s)}: {unseen.items:,} items have no event before; "
        f"{unseen.cases:,} orders hold one. Only such items are targets. *Among them* is what an "
        "index of their own finds."
    )
    rows = [
        [
            row.name,
            estimate(row.overall),
            *(estimate(row.among[name]) for name in ("recall@10", "recall@50")),
        ]
        for row in unseen.rows
    ]
    yield table(["method", "R@50, full catalogue", "R@10 among them", "R@50 among them"], rows)


def _day(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"

"""The cold-start replay: whom it is measured on, what is tried, and that nothing leaks."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.coldstart import command, configure
from models.errors import EvaluationInvalid
from models.evaluation.baselines.fits import Fits
from models.evaluation.cases import Cases
from models.evaluation.coldstart.methods import (
    Dealt,
    Lists,
    Shop,
    WithPopularity,
    constant,
    falling,
)
from models.evaluation.coldstart.populations import Period, declared_interests
from models.evaluation.coldstart.replay import BELOW, Side
from models.evaluation.coldstart.unseen import Random
from models.evaluation.scorers import Scorer, lists_of
from models.evaluation.tower_scores import DAY_S
from models.interactions import Log, read_log, split_time
from models.recipes import Dataset, Recipe
from models.towers import TrainedTowers
from models.train import train
from tests.logs import START_S, make_items, make_log
from tests.shop import make_shop

RECIPE = Recipe(dim=8, epochs=2, hidden=16, threads=1)


def period(log: Log, from_day: float = 0.0, most: int = 100) -> Period:
    return Period(log, round(START_S + from_day * DAY_S), None, most, seed=1)


def told(cases: Cases) -> list[str]:
    """What is known of each case, oldest first."""
    past = cases.past(slice(0, cases.n), None)
    ids = cases.log.items.ids
    return [" ".join(ids[row] for row in past.row[past.case == i]) for i in range(cases.n)]


def wanted(cases: Cases) -> list[str]:
    ids = cases.log.items.ids
    return [" ".join(ids[row] for row in rows) for rows in cases.target_rows(slice(0, cases.n))]


LOG = make_log(
    [
        *(("ann", item, "purchase", day / 10) for day, item in enumerate("abcdeabcde")),
        ("bob", "a", "purchase", 1),
        ("ann", "d e f", "purchase", 5),
        ("bob", "a f", "purchase", 6),
        ("cid", "c", "purchase", 7),
    ]
)


def test_people_with_few_actions_are_taken_as_logged() -> None:
    cases = period(LOG, 5).with_actions(1, 4)
    assert (told(cases), wanted(cases)) == (["a"], ["f"])
    assert wanted(period(LOG, 5).with_actions(0, 0)) == ["c"]


@pytest.mark.parametrize(("n", "known", "targets"), [(1, "e", "d f"), (3, "c d e", "f")])
def test_of_cut_people_only_the_newest_actions_exist(n: int, known: str, targets: str) -> None:
    cases = period(LOG, 5).cut(n, n)
    assert (told(cases), wanted(cases)) == ([known], [targets])
    assert cases.n_earlier.tolist() == [n]


def test_how_many_are_told_is_drawn_within_the_bounds() -> None:
    lines = [
        (user, item, "purchase", at / 10)
        for user in ("ann", "bob", "cid", "dan", "eve", "fay")
        for at, item in enumerate("abcabcabcabc")
    ]
    log = make_log([*lines, *((user, "f", "purchase", 5) for user in ("ann", "bob", "cid", "dan"))])
    drawn = period(log, 5).cut(1, 4).n_earlier
    assert len(drawn) == 4
    assert set(drawn) <= {1, 2, 3, 4}
    assert (drawn == period(log, 5).cut(1, 4).n_earlier).all()


def test_stale_people_were_silent_for_ninety_days() -> None:
    log = make_log(
        [
            ("ann", "a", "purchase", 0),
            ("bob", "a", "purchase", 30),
            ("ann", "b", "purchase", 100),
            ("bob", "c", "purchase", 100),
            ("cid", "c", "purchase", 100),
        ]
    )
    assert wanted(period(log, 100).stale()) == ["b"]


def test_interests_come_from_later_orders_only() -> None:
    log = make_log(
        [
            ("ann", "a b", "purchase", 1),
            ("bob", "a", "purchase", 1),  # never comes back
            ("ann", "c d e", "purchase", 2),
            ("ann", "f", "return", 3),  # speaks against its item
            ("ann", "d", "purchase", 4),
        ]
    )
    categories = ("toys", "toys", "books", "garden", "toys", "art")
    log = replace(log, items=replace(make_items("abcdef"), categories=categories))
    cases, said = declared_interests(period(log).with_actions(0, 0))
    assert (wanted(cases), said) == (["a b"], [("garden", "books", "toys")])


def rows(scorer: Scorer, cases: Cases, depth: int) -> list[list[int]]:
    return [[int(row) for row in ranked] for ranked in lists_of(scorer, cases, depth)]


def test_lists_are_dealt_into_one_by_share() -> None:
    cases = period(LOG, 7).with_actions(0, 0)
    first = Lists("first", [np.array([0, 1, 2, 3, 4, 5])])
    second = Lists("second", [np.array([5, 4, 3, 2, 1, 0])])
    shares = {0.0: [0, 1, 2, 3], 0.25: [0, 1, 5, 2], 0.5: [0, 5, 1, 4], 1.0: [5, 4, 3, 2]}
    for share, expected in shares.items():
        assert rows(Dealt("both", first, second, constant(share)), cases, 4) == [expected]


def test_popularity_counts_less_with_every_action() -> None:
    assert falling(0.5, 5)(np.array([0, 1, 4, 5, 9])) == pytest.approx([0.5, 0.4, 0.1, 0.0, 0.0])
    tower = Lists("tower", [np.arange(6)] * 2)
    shares = np.array([0, 0, 0, 0, 0, 0.2], dtype=np.float32)
    scorer = WithPopularity("both", tower, shares, falling(25.0, 5))
    both = period(LOG, 6).with_actions(0, 1)
    assert both.n_earlier.tolist() == [1, 0]
    assert rows(scorer, replace(both, only_new=False), 6)[1][0] == 5
    known = WithPopularity("both", tower, shares, falling(25.0, 1))
    assert rows(known, replace(both, only_new=False), 6)[0] == [0, 1, 2, 3, 4, 5]


def test_random_is_the_same_in_every_run() -> None:
    cases = period(LOG, 5).with_actions(0, 9)
    assert rows(Random(3), cases, 6) == rows(Random(3), cases, 6) != rows(Random(4), cases, 6)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def towers(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    """Towers trained up to a share of the events."""
    log, folders = read_log(shop, Dataset("shop")), {}
    for share in (0.7, 0.8):
        folders[share] = tmp_path_factory.mktemp("towers")
        train(log, RECIPE, split_time(log, share), folders[share], progress=False)
    return folders


@pytest.mark.torch
def test_nothing_newer_than_the_split_reaches_a_list(shop: Path, towers: dict[float, Path]) -> None:
    log = read_log(shop, Dataset("shop"))
    split_s = split_time(log)
    moved = np.where(log.at_s >= split_s, (log.item + 1) % 40, log.item).astype(np.int32)
    found = []
    for known in (log, replace(log, item=moved)):
        fits = Fits(known, split_s, TrainedTowers.load(towers[0.8], known))
        side = Side.of(fits, Period(known, split_s, None, 50, 1), recent_days=14)
        cases = side.period.cut(4, 4)
        newest_s = log.at_s[cases.by_user[cases.past_to - 1]]
        cases = replace(cases, only_new=False).take(np.flatnonzero(newest_s < split_s))
        assert cases.n > 10
        scorers: list[Scorer] = [
            *side.popularity(),
            side.shop.popular(cases),
            side.shop.local(cases),
            side.tower,
            side.content,
            side.with_content("content", falling(1.0, BELOW)),
            side.with_popularity("popularity", falling(0.3, BELOW)),
        ]
        found.append([lists_of(scorer, cases, 20) for scorer in scorers])
    for one, other in zip(*found, strict=True):
        assert (one == other).all()


def test_a_popularity_that_saw_the_test_period_would_be_noticed(shop: Path) -> None:
    log = read_log(shop, Dataset("shop"))
    split_s = split_time(log)
    moved = np.where(log.at_s >= split_s, (log.item + 1) % 40, log.item).astype(np.int32)
    late = [Shop.at(known, int(log.at_s[-1])).shares for known in (log, replace(log, item=moved))]
    assert (late[0] != late[1]).any()


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    return command(parser.parse_args([str(word) for word in words]))


@pytest.mark.torch
def test_the_command_prints_what_it_writes(
    shop: Path, towers: dict[float, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "cold.md"
    trained = ("--towers", towers[0.8], "--tuning-towers", towers[0.7])
    assert run("--data", shop, *trained, "--out", out) == 0
    text = out.read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    assert "python -m models coldstart --data" in text
    for heading in ("## Choices", "### 5 to 9 actions, cut", "## New items"):
        assert heading in text


@pytest.mark.torch
def test_towers_that_saw_the_test_period_are_refused(
    shop: Path, towers: dict[float, Path], tmp_path: Path
) -> None:
    trained = ("--towers", towers[0.8], "--tuning-towers", towers[0.8])
    with pytest.raises(EvaluationInvalid, match=r"train with --until 0\.7"):
        run("--data", shop, *trained, "--out", tmp_path / "cold.md")
    assert list(tmp_path.iterdir()) == []

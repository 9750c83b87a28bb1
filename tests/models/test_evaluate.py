"""The whole evaluation on a toy shop: what it writes, what it refuses, and that nothing leaks."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import EvaluationInvalid
from models.evaluate import command, configure, quick_metrics
from models.evaluation.protocols import next_orders
from models.evaluation.question import Question, answer
from models.evaluation.released import ReleasedTowers
from models.evaluation.report import markdown
from models.evaluation.tower_scores import DAY_S, TowerScorer
from models.interactions import Log, read_log, split_time
from models.recipes import Dataset, Recipe
from models.towers import TrainedTowers
from models.train import train
from service.releases.loader import load_release
from tests.logs import make_log
from tests.releases import make_release
from tests.shop import make_shop

RECIPE = Recipe(dim=8, epochs=2, hidden=16, threads=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def log(shop: Path) -> Log:
    return read_log(shop, Dataset("shop"))


@pytest.fixture(scope="module")
def towers(log: Log, tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    """Towers trained up to a share of the events."""
    folders = {}
    for share in (0.7, 0.8):
        folders[share] = tmp_path_factory.mktemp("towers")
        train(log, RECIPE, split_time(log, share), folders[share], progress=False)
    return folders


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    return command(parser.parse_args([str(word) for word in words]))


@pytest.mark.torch
def test_the_command_writes_and_prints_towers_beside_popularity(
    shop: Path, towers: dict[float, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = ("--towers", towers[0.8], "--tuning-towers", towers[0.7])
    assert run("--data", shop, *trained, "--quick", "--out", tmp_path) == 0
    text = (tmp_path / "evaluation.md").read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    assert "| **Tower, last 20, + own items of last 20** |" in text
    assert "python -m models evaluate --data" in text
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert [target["name"] for target in found["targets"]] == [
        "new items",
        "next order",
        "next item",
    ]
    assert found["again_weight"] >= 0
    for target in found["targets"]:
        for row in target["rows"]:
            estimate = row["measures"]["recall@50"]
            assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1


@pytest.mark.torch
def test_towers_that_saw_the_test_period_are_refused(
    shop: Path, towers: dict[float, Path], tmp_path: Path
) -> None:
    trained = ("--towers", towers[0.8], "--tuning-towers", towers[0.8])
    with pytest.raises(EvaluationInvalid, match=r"train with --until 0\.7"):
        run("--data", shop, *trained, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.torch
def test_a_release_gets_its_metrics_by_segment(log: Log, towers: dict[float, Path]) -> None:
    both = [TrainedTowers.load(towers[share], log) for share in (0.8, 0.7)]
    metrics = quick_metrics(log, *both)
    assert isinstance(metrics["again_weight"], float)
    target = json.loads(json.dumps(metrics))["targets"]["next order"]
    assert sum(target["segment_cases"].values()) == target["cases"]
    names = [row["name"] for row in target["rows"]]
    assert "Popularity, recent window" in names
    assert "Tower, last 20" in names
    assert not [name for name in names if "EASE" in name]
    value, low, high = target["rows"][0]["overall"]["ndcg@10"]
    assert low <= value <= high


@pytest.mark.torch
@pytest.mark.parametrize("fresh", [False, True])
def test_nothing_of_the_future_reaches_the_towers_scores(
    log: Log, towers: dict[float, Path], fresh: bool
) -> None:
    split_s = split_time(log)
    start_s = int(next_orders(log, split_s + 5 * DAY_S).start_s[0])
    midnight_s = start_s // DAY_S * DAY_S
    blind_s = midnight_s if fresh else split_s
    users = log.user[(log.at_s == start_s)]
    others = (log.at_s >= blind_s) & ~np.isin(log.user, users) | (log.at_s >= start_s)
    later = replace(log, item=np.where(others, (log.item + 1) % 40, log.item).astype(np.int32))
    scores = []
    for known in (log, later):
        scorer = TowerScorer(TrainedTowers.load(towers[0.8], known), 20, split_s, fresh)
        scores.append(scorer.score(next_orders(known, split_s + 5 * DAY_S), slice(0, 1)))
    assert (scores[0] == scores[1]).all()


def test_all_baselines_run_without_towers(log: Log) -> None:
    evaluation = answer(Question(log, progress=False))
    novel, repeats, _ = evaluation.targets
    names = {row.name for row in repeats.rows}
    assert {
        "Popularity, all time",
        "Popularity, recent window",
        "Popularity, rolling",
        "Own history (last 20), then popular",
        "Own history (all history), then popular",
        "item-kNN, last 20",
        "item-kNN, last 20, recency weights",
        "item-kNN, all history, + own items + popularity",
        "EASE, last 20",
        "EASE, all history, + own items + popularity",
        "EASE on time-decayed data, last 20, + own items + popularity",
        "EASE on time-decayed data, all history, + own items + rolling popularity",
    } <= names
    assert not any("own items" in row.name for row in novel.rows)
    assert evaluation.again_weight is None
    taste = {row.name: row.recall for row in novel.rows}
    assert taste["EASE, all history"] >= taste["Popularity, recent window"]
    report = markdown(evaluation)
    assert "Frozen at the split" in report
    assert "Fresh: other people's events" in report


RELEASE_ITEMS = [f"item-{i}" for i in range(30)]


def later_log(names: list[str]) -> Log:
    """Orders from twenty days before to ten days after the test release was trained."""
    rng = np.random.default_rng(1)
    lines = [
        (f"u{rng.integers(20)}", " ".join(rng.permutation(names)[:3]), "purchase", day / 10)
        for day in range(-200, 100)
    ]
    return make_log(lines, names=names)


def test_a_release_is_judged_as_it_is_on_what_came_later(tmp_path: Path) -> None:
    folder = make_release(tmp_path, n_items=len(RELEASE_ITEMS))
    log = later_log(sorted(RELEASE_ITEMS))
    towers = ReleasedTowers.load(folder, log)
    row = log.items.ids.index("item-7")
    served = load_release(folder)
    at = served.catalogue.row_of("item-7")
    assert towers.item_vectors(0)[row].tolist() == served.catalogue.vectors[at].tolist()
    weight = served.again_weight
    question = Question(
        log,
        towers,
        quick=True,
        progress=False,
        split_s=towers.trained_through_s,
        release_weight=weight,
    )
    rows = {row.name: row for row in answer(question).targets[1].rows}
    assert rows["Tower, last 20, + own items of last 20"].chosen == f"own items {weight:g}"
    assert not any("refreshed" in name for name in rows)


def test_a_release_that_lacks_an_item_of_the_log_is_refused(tmp_path: Path) -> None:
    folder = make_release(tmp_path, n_items=len(RELEASE_ITEMS))
    log = later_log([*RELEASE_ITEMS, "zebra"])
    with pytest.raises(EvaluationInvalid, match="does not know the item zebra"):
        ReleasedTowers.load(folder, log)
    with pytest.raises(EvaluationInvalid, match="no usable release"):
        ReleasedTowers.load(tmp_path / "nowhere", log)


def test_a_log_without_a_case_is_refused_with_a_sentence() -> None:
    log = make_log([("ann", "a", "purchase", day) for day in range(10)])
    with pytest.raises(EvaluationInvalid, match="evaluate a longer log"):
        answer(Question(log, progress=False))

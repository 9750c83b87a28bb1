"""Training on the toy shop: learns the two tastes, resumes exactly, saves and loads."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import TrainingInvalid
from models.interactions import Log, read_log
from models.networks.item_tower import ExportableItemTower
from models.recipes import Dataset, Recipe
from models.towers import TrainedTowers
from models.train import command, configure, train
from service.towers.features import History
from service.towers.item_features import as_of_features
from tests.shop import make_shop

RECIPE = Recipe(dim=16, hidden=16, epochs=3, batch_size=64, learning_rate=0.01, threads=1)
UNTIL_S = 1_603_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return read_log(make_shop(tmp_path_factory.mktemp("shop")), Dataset("shop"))


@pytest.fixture(scope="module")
def towers(shop: Log, tmp_path_factory: pytest.TempPathFactory) -> TrainedTowers:
    return train(shop, RECIPE, UNTIL_S, tmp_path_factory.mktemp("run"), progress=False)


def taste(towers: TrainedTowers, log: Log) -> float:
    """Return the share of the ten best items that are of the taste of the history."""
    vectors = towers.item_vectors(UNTIL_S)
    hits = []
    for parity in (0, 1):
        rows = np.arange(parity, 8, 2)
        history = History(rows, np.zeros(4, np.int64), np.full(4, UNTIL_S - 3600.0))
        user = towers.user_vectors([history], np.array([float(UNTIL_S)]), vectors)
        best = np.argsort(-(vectors @ user[0]))[:10]
        hits.append((best % 2 == parity).mean())
    return float(np.mean(hits))


@pytest.mark.parametrize("encoder", ["mean", "attention", "gru", "transformer"])
@pytest.mark.parametrize("softmax", ["full", "sampled"])
def test_training_learns_the_two_tastes(shop: Log, encoder: str, softmax: str) -> None:
    recipe = replace(RECIPE, encoder=encoder, softmax=softmax, sampled_negatives=16)
    assert taste(train(shop, recipe, UNTIL_S, progress=False), shop) > 0.9


def test_all_vectors_have_unit_length(towers: TrainedTowers, shop: Log) -> None:
    vectors = towers.item_vectors(UNTIL_S)
    assert vectors.shape == (shop.items.n, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_an_empty_history_has_a_vector_too(towers: TrainedTowers) -> None:
    users = towers.user_vectors([History(), History()], np.array([1e9, 2e9]))
    np.testing.assert_allclose(np.linalg.norm(users, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(users[0], users[1])


def test_many_people_at_once_get_the_vectors_of_each_alone(towers: TrainedTowers) -> None:
    histories = [History(np.array([i % 40]), np.zeros(1, np.int64), np.zeros(1)) for i in range(50)]
    together = towers.user_vectors(histories, np.full(50, 1e9))
    alone = towers.user_vectors(histories[7:8], np.array([1e9]))
    np.testing.assert_allclose(together[7], alone[0], atol=1e-6)


def test_a_resumed_run_equals_an_uninterrupted_one(
    shop: Log, towers: TrainedTowers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def cut_off(folder: Path, epochs: list[object]) -> None:
        done.append(len(epochs))
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("models.train.write_curves", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train(shop, RECIPE, UNTIL_S, tmp_path, progress=False)
    assert done == [1, 2]
    resumed = train(shop, RECIPE, UNTIL_S, tmp_path, progress=False)
    assert len(json.loads((tmp_path / "curves.json").read_text())) == 3
    np.testing.assert_array_equal(resumed.item_vectors(UNTIL_S), towers.item_vectors(UNTIL_S))


def test_a_finished_run_is_not_trained_again(shop: Log, tmp_path: Path) -> None:
    first = train(shop, RECIPE, UNTIL_S, tmp_path, progress=False)
    before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    again = train(shop, RECIPE, UNTIL_S, tmp_path, progress=False)
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == before
    np.testing.assert_array_equal(first.item_vectors(UNTIL_S), again.item_vectors(UNTIL_S))


def test_the_checkpoint_of_another_run_is_refused(shop: Log, tmp_path: Path) -> None:
    train(shop, replace(RECIPE, epochs=1), UNTIL_S, tmp_path, progress=False)
    with pytest.raises(TrainingInvalid, match=r"checkpoint\.pt .*another recipe.*delete it"):
        train(shop, replace(RECIPE, seed=2), UNTIL_S, tmp_path, progress=False)
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    with pytest.raises(TrainingInvalid, match="damaged"):
        train(shop, RECIPE, UNTIL_S, tmp_path, progress=False)


def test_saved_towers_come_back_the_same(shop: Log, towers: TrainedTowers, tmp_path: Path) -> None:
    towers.save(tmp_path)
    loaded = TrainedTowers.load(tmp_path, shop)
    assert (loaded.recipe, loaded.vocabulary) == (towers.recipe, towers.vocabulary)
    np.testing.assert_array_equal(loaded.item_vectors(UNTIL_S), towers.item_vectors(UNTIL_S))
    assert loaded.actions_unseen == ("add_to_cart", "click", "view", "return", "dislike")


def test_newer_counts_change_vectors_and_not_weights(shop: Log, towers: TrainedTowers) -> None:
    later = int(shop.at_s[-1]) + 86_400
    old, new = towers.item_vectors(UNTIL_S), towers.item_vectors(later)
    assert not np.allclose(old, new)
    np.testing.assert_array_equal(old, towers.item_vectors(UNTIL_S))


@pytest.mark.parametrize("damage", ["towers.pt", "towers.json"])
def test_damaged_towers_are_refused(
    shop: Log, towers: TrainedTowers, tmp_path: Path, damage: str
) -> None:
    towers.save(tmp_path)
    (tmp_path / damage).write_bytes(b"{}")
    with pytest.raises(TrainingInvalid, match="holds no usable towers"):
        TrainedTowers.load(tmp_path, shop)
    with pytest.raises(TrainingInvalid, match="holds no usable towers"):
        TrainedTowers.load(tmp_path / "nowhere", shop)


def test_the_exportable_item_tower_is_the_item_tower_without_ids(
    shop: Log, towers: TrainedTowers
) -> None:
    numbers = towers.numbers
    title, tags = numbers.title.padded(60), numbers.tags.padded(4)
    arrays = [*title, *tags, numbers.category, numbers.price, numbers.seller, numbers.year]
    inputs = [torch.from_numpy(array) for array in (*arrays, towers.as_of_features(UNTIL_S))]
    tower = towers.exportable_item_tower()
    assert len(ExportableItemTower.INPUTS) == len(inputs)
    with torch.no_grad():
        vectors = tower(*inputs).numpy()
    np.testing.assert_allclose(vectors, towers.item_vectors(UNTIL_S, ids=False), atol=1e-5)


def test_an_item_without_history_sits_with_its_kind(shop: Log, towers: TrainedTowers) -> None:
    vectors = towers.item_vectors(UNTIL_S)
    unseen = as_of_features(np.zeros((5, 40)), np.full(40, np.nan))
    numbers = towers.numbers
    title, tags = numbers.title.padded(60), numbers.tags.padded(4)
    arrays = [*title, *tags, numbers.category, numbers.price, numbers.seller, numbers.year, unseen]
    with torch.no_grad():
        new = towers.exportable_item_tower()(*map(torch.from_numpy, arrays)).numpy()
    near = np.argsort(-(new @ vectors.T), axis=1)[:, :10]
    assert (near % 2 == np.arange(40)[:, None] % 2).mean() > 0.9


def test_a_log_without_positive_events_cannot_train(shop: Log) -> None:
    with pytest.raises(TrainingInvalid, match="no order with a positive event"):
        train(shop, RECIPE, int(shop.at_s[0]), progress=False)


def test_the_command_writes_towers_and_curves(tmp_path: Path) -> None:
    data, out = make_shop(tmp_path / "shop"), tmp_path / "out"
    (data / "dataset.toml").write_text(
        "[recipe]\ndim = 8\nhidden = 8\nbatch_size = 64\nthreads = 1\n"
    )
    parser = argparse.ArgumentParser()
    configure(parser)
    assert command(parser.parse_args([str(data), "--out", str(out), "--epochs", "1"])) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"checkpoint.pt", "curves.json", "curves.png", "towers.json", "towers.pt"}
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")

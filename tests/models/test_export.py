"""Exported towers answer like the trained ones."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import PublishInvalid
from models.export import USER_INPUTS, embedding_version, export
from models.interactions import Log, read_log
from models.recipes import ENCODERS, Dataset, Recipe
from models.towers import TrainedTowers
from models.train import train
from service.domain.sessions import Session
from service.towers.features import History
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxUserTower, load_item_tower
from tests.factories import make_catalogue
from tests.shop import make_shop

pytestmark = pytest.mark.torch

RECIPE = Recipe(dim=8, epochs=1, hidden=16, threads=1)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return read_log(make_shop(tmp_path_factory.mktemp("shop")), Dataset("shop"))


def trained_towers(log: Log, encoder: str = "mean") -> TrainedTowers:
    until_s = int(log.at_s[-1]) + 1
    return train(log, replace(RECIPE, encoder=encoder), until_s, progress=False)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_exports_and_agrees(log: Log, encoder: str) -> None:
    trained = trained_towers(log, encoder)
    exported = export(trained)
    assert exported.parity <= 1e-5
    tower = OnnxUserTower(exported.user_tower, TowerFit(dim=8, history_length=20))
    assert set(tower.input_names) == set(USER_INPUTS)
    assert tower.properties["embedding_version"] == exported.version
    assert exported.version == embedding_version(trained)
    catalogue = make_catalogue(vectors=np.eye(10, 8, dtype=np.float32))
    wanted = trained.user_vectors([History()], np.array([0.0]))[0]
    assert tower.embed(Session(), catalogue, 0.0) == pytest.approx(wanted, abs=1e-5)


def test_the_item_tower_carries_its_vocabulary(log: Log) -> None:
    exported = export(trained_towers(log))
    tower = load_item_tower(exported.item_tower, 8)
    assert tower.properties["embedding_version"] == exported.version
    assert b"vocabulary" in exported.item_tower
    assert {"title_ids", "title_weights", "category", "as_of"} <= {s.name for s in tower.inputs}


def test_other_weights_have_another_version(log: Log) -> None:
    one, two = trained_towers(log), trained_towers(log, "attention")
    assert embedding_version(one) != embedding_version(two)
    assert embedding_version(one) == embedding_version(trained_towers(log))


def test_a_tower_that_is_not_a_number_is_not_exported(log: Log) -> None:
    trained = trained_towers(log)
    prior = trained.modules.user.prior
    prior.data.fill_(float("nan"))
    with pytest.raises(PublishInvalid, match=r"user_tower.onnx differs"):
        export(trained)

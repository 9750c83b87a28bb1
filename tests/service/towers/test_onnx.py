"""Towers as ONNX files: what is refused at load, and what is caught at run time."""

import numpy as np
import onnx
import pytest

from models.building.mean_tower import mean_tower
from service.domain.sessions import Session
from service.errors import ReleaseRefused, TowerUnavailable
from service.towers.inputs import Slot, TowerFit
from service.towers.onnx import OnnxUserTower, load_item_tower
from tests.factories import DIM, NOW_S, make_catalogue, make_session
from tests.towers import FLOAT, INT64, Shape, constant_tower

FIT = TowerFit(dim=DIM, history_length=20)
EAST = (1.0, 0.0, 0.0, 0.0)


def refusal(model: bytes, fit: TowerFit = FIT, reason: str = "tower") -> str:
    with pytest.raises(ReleaseRefused) as refused:
        OnnxUserTower(model, fit)
    assert refused.value.reason == reason
    assert str(refused.value).startswith("user_tower.onnx ")
    return str(refused.value)


def test_a_session_becomes_a_unit_vector() -> None:
    catalogue = make_catalogue()
    tower = OnnxUserTower(mean_tower(DIM, 20, np.array(EAST), "v1"), FIT)
    vector = tower.embed(make_session(("i9", "purchase"), ("i9", "view")), catalogue, NOW_S)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert int(np.argmax(catalogue.vectors @ vector)) == 9
    assert tower.properties["embedding_version"] == "v1"


def test_a_tower_with_a_table_of_items_does_not_know_what_arrived_later() -> None:
    fit = TowerFit(dim=DIM, history_length=20, n_items=4)
    inputs = fit.serving_inputs([Slot("item_rows", "tensor(int64)", ("B", 20))], "tower.onnx")
    session = make_session(("i3", "view"), ("i4", "view"))
    rows = inputs.of(session, make_catalogue(), NOW_S)["item_rows"]
    assert rows[0, -2:].tolist() == [4, 0]


def test_an_empty_history_gives_the_prior() -> None:
    tower = OnnxUserTower(mean_tower(DIM, 20, np.array(EAST), "v1"), FIT)
    assert tower.embed(Session(), make_catalogue(), NOW_S) == pytest.approx(np.array(EAST))


def test_a_dislike_turns_away_from_an_item() -> None:
    catalogue = make_catalogue()
    tower = OnnxUserTower(mean_tower(DIM, 20, np.array(EAST), "v1"), FIT)
    liked = tower.embed(make_session(("i9", "view")), catalogue, NOW_S)
    disliked = tower.embed(make_session(("i9", "dislike")), catalogue, NOW_S)
    assert catalogue.vectors[9] @ disliked < 0.0 < catalogue.vectors[9] @ liked


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((float("nan"), 0.0, 0.0, 0.0), "nan"),
        ((float("inf"), 0.0, 0.0, 0.0), "inf"),
        ((0.0, 0.0, 0.0, 0.0), "zero"),
        ((0.5, 0.5, 0.0, 0.0), "norm"),
    ],
)
def test_a_vector_that_is_no_unit_vector_is_not_used(
    answer: tuple[float, ...], outcome: str
) -> None:
    tower = OnnxUserTower(constant_tower(answer), FIT)
    with pytest.raises(TowerUnavailable) as unavailable:
        tower.embed(Session(), make_catalogue(), NOW_S)
    assert unavailable.value.outcome == outcome


def test_a_failing_inference_is_one_outcome() -> None:
    tower = OnnxUserTower(constant_tower(EAST), FIT)
    with pytest.raises(TowerUnavailable) as unavailable:
        tower.run({"item_rows": np.zeros((1, 20), dtype=np.float32)})
    assert unavailable.value.outcome == "exception"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"moon_phase": (FLOAT, ["B", 1])}, "unknown input moon_phase: use only item_rows"),
        ({"item_rows": (FLOAT, ["B", 20])}, "export it as item_rows tensor(int64) [B, H]"),
        ({"ages_s": (FLOAT, ["B", 20, 1])}, "export it as ages_s tensor(float) [B, H]"),
        ({"item_rows": (INT64, ["B", 50])}, "the manifest says H = 20"),
        ({"item_vectors": (FLOAT, ["B", 20, 8])}, "the manifest says dim = 4"),
        ({"item_rows": (INT64, [1, 20])}, "free batch size"),
        ({"context": (FLOAT, ["B", 3])}, "export it as context tensor(float) [B, 4]"),
        ({"user_features": (FLOAT, ["B", 2])}, "the manifest says F = 0"),
        ({"user_features": (FLOAT, ["B", "F"])}, "name them in the manifest's inputs"),
    ],
)
def test_a_tower_with_inputs_that_cannot_be_fed_is_refused(
    inputs: dict[str, tuple[int, Shape]], said: str
) -> None:
    assert said in refusal(constant_tower(EAST, inputs))


def test_named_profile_features_are_fed_in_their_order() -> None:
    inputs = {"user_features": (FLOAT, ["B", 2]), "interest_rows": (INT64, ["B", 3])}
    names = ("actions", "interests")
    fit = TowerFit(dim=DIM, history_length=20, user_feature_names=names)
    tower = OnnxUserTower(constant_tower(EAST, inputs), fit)
    assert tower.embed(Session(), make_catalogue(), NOW_S) == pytest.approx(np.array(EAST))


def test_an_unknown_profile_feature_is_refused() -> None:
    fit = TowerFit(dim=DIM, history_length=20, user_feature_names=("shoe_size",))
    inputs = {"user_features": (FLOAT, ["B", 1])}
    assert "shoe_size" in refusal(constant_tower(EAST, inputs), fit)


def test_an_output_of_another_width_or_name_is_refused() -> None:
    assert "[B, 4]" in refusal(constant_tower((1.0, 0.0)))
    assert "no output user_vector" in refusal(constant_tower(EAST, output="vector"))


def test_bytes_that_are_no_onnx_file_are_refused() -> None:
    assert "is no ONNX file" in refusal(b"not a model")
    assert "is no ONNX file" in refusal(constant_tower(EAST)[:200])


def test_weights_in_another_file_are_refused() -> None:
    model = onnx.load_from_string(constant_tower(EAST))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    assert "all weights inside" in refusal(model.SerializeToString(), reason="external_data")


def test_an_item_tower_needs_its_own_output() -> None:
    model = constant_tower(EAST, {"category": (INT64, ["B"])}, output="item_vector")
    assert load_item_tower(model, DIM).run({"category": np.zeros(3, dtype=np.int64)}).shape == (
        3,
        4,
    )
    with pytest.raises(ReleaseRefused, match="no output item_vector"):
        load_item_tower(constant_tower(EAST), DIM)

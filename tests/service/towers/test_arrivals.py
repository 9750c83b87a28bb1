"""Vectors of items that arrive: their own, or the item tower's."""

from pathlib import Path

import numpy as np
import pytest

from service.domain.items import ItemUpdate, NewItem
from service.releases.loader import load_release
from service.towers.arrivals import ArrivalVectors
from service.towers.onnx import load_item_tower
from tests.releases import CATEGORIES, make_release
from tests.towers import INT64, category_tower, constant_tower

DIM = 4
CENTRES = np.eye(DIM, dtype=np.float32)
TOY = NewItem("a toy", "toys")


@pytest.fixture
def vectors() -> ArrivalVectors:
    tower = load_item_tower(category_tower(CATEGORIES, CENTRES, "v1"), DIM)
    return ArrivalVectors("v1", DIM, tower)


def given(*numbers: float, version: str = "v1") -> NewItem:
    return NewItem("a toy", "toys", vector=numbers, embedding_version=version)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e307])
def test_a_vector_that_fits_is_taken_and_made_a_unit_vector(
    vectors: ArrivalVectors, size: float
) -> None:
    (vector,) = vectors([given(3.0 * size, 4.0 * size, 0.0, 0.0)])
    assert vector is not None
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, [0.6, 0.8, 0.0, 0.0], rtol=1e-6)


@pytest.mark.parametrize(
    "item",
    [
        TOY,
        given(1.0, 0.0, 0.0, 0.0, version="another"),
        given(1.0, 0.0),
        given(0.0, 0.0, 0.0, 0.0),
        given(float("nan"), 0.0, 0.0, 0.0),
        given(float("inf"), 0.0, 0.0, 0.0),
    ],
)
def test_otherwise_the_item_tower_makes_one(vectors: ArrivalVectors, item: NewItem) -> None:
    (vector,) = vectors([item])
    assert vector is not None
    assert vector.tolist() == [0.0, 0.0, 0.0, 1.0]  # the centre of the toys


def test_many_are_made_together_each_in_its_place(vectors: ArrivalVectors) -> None:
    items = [TOY, given(0.0, 2.0, 0.0, 0.0), NewItem("x", "books"), NewItem("y", "nobody's")]
    found = vectors(items)
    assert [None if v is None else int(v.argmax()) for v in found[:3]] == [3, 1, 0]
    np.testing.assert_allclose(found[3], [0.5] * 4)  # type: ignore[arg-type]
    assert vectors([]) == []


@pytest.mark.parametrize(
    "tower",
    [
        None,
        constant_tower([1.0, 0, 0, 0], {"category": (INT64, ["B"])}, "item_vector"),  # no words
        category_tower(CATEGORIES, CENTRES, "v1").replace(b'"categories"', b'"kategories"'),
        constant_tower([2.0, 0, 0, 0], {"category": (INT64, ["B"])}, "item_vector"),  # no unit
    ],
)
def test_without_a_tower_that_can_be_fed_only_given_vectors_count(tower: bytes | None) -> None:
    loaded = None if tower is None else load_item_tower(tower, DIM)
    vectors = ArrivalVectors("v1", DIM, loaded)
    without, with_one = vectors([TOY, given(1.0, 0.0, 0.0, 0.0)])
    assert without is None
    assert with_one is not None


def test_a_release_takes_items_in_by_its_own_tower(tmp_path: Path) -> None:
    release = load_release(make_release(tmp_path))
    release.updates.apply([ItemUpdate("n-1", 2e9, new=TOY)])
    row = release.catalogue.row_of("n-1")
    near, _ = release.exact.search(release.catalogue.vectors[row], 20)
    names = [release.catalogue.category_names[c] for c in release.catalogue.categories[near]]
    assert set(names) == {"toys"}

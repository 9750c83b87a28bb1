"""One version in all parts of a loaded release: asked again and again while it serves."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from service.catalogue.growing import Joined
from service.catalogue.live import LiveCatalogue
from service.ports.serving import Release
from service.releases.handshake import handshake
from service.releases.loader import load_release
from tests.releases import make_release


@pytest.fixture(scope="module")
def one(clean: Path) -> Release:
    return load_release(clean)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Of another training, on the same items."""
    return load_release(make_release(tmp_path_factory.mktemp("two"), seed=2))


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Of the same embedding version, with other items."""
    return load_release(make_release(tmp_path_factory.mktemp("more"), n_items=310))


def test_a_release_that_was_loaded_agrees_with_itself(one: Release, two: Release) -> None:
    assert handshake(one) is None
    assert handshake(two) is None


def test_a_tower_of_another_training_is_found(one: Release, two: Release) -> None:
    found = handshake(replace(one, tower=two.tower))
    assert found == "user_tower.onnx is of test-2, the release of test-1"


def test_a_tower_published_with_other_files_is_found(one: Release, refreshed: Release) -> None:
    found = handshake(replace(one, tower=refreshed.tower))
    assert found is not None
    assert found.endswith("is not the file that user_tower.onnx was published with")


def test_an_index_over_other_vectors_is_found(one: Release, two: Release) -> None:
    found = handshake(replace(one, index=two.index))
    assert found == "items.hnsw holds other vectors than item_vectors.npy"


def test_a_catalogue_in_other_rows_is_found(one: Release) -> None:
    moved = copy(cast(LiveCatalogue, one.catalogue))
    moved.item_ids = Joined(one.catalogue.item_ids[::-1])
    found = handshake(replace(one, catalogue=moved))
    assert found == "catalogue.parquet has another item in row 0 than its hash says"


def test_vectors_of_another_release_are_found(one: Release, two: Release) -> None:
    moved = copy(cast(LiveCatalogue, one.catalogue))
    moved.vectors = cast(LiveCatalogue, two.catalogue).vectors
    assert handshake(replace(one, catalogue=moved)) is not None

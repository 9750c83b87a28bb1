"""Releases whose parts do not fit each other, although every hash is right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hnswlib
import numpy as np
import pyarrow as pa
import pytest

from models.building.draft import npy_bytes
from models.building.mean_tower import mean_tower
from service.indexes.hnsw import HnswIndex
from service.releases.loader import load_release
from service.releases.probes import read_probes
from tests.service.releases.breaking import (
    change_catalogue,
    change_manifest,
    change_vectors,
    refusal,
    replace_file,
    set_item,
    sign,
)
from tests.towers import FLOAT, INT64, constant_tower


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite_are_refused(release: Path, number: float) -> None:
    def spoil(vectors: np.ndarray) -> np.ndarray:
        vectors[17, 3] = number
        return vectors

    change_vectors(release, spoil)
    reason, sentence = refusal(release)
    assert reason == "vectors"
    assert "row 17" in sentence


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, 50.0])
def test_vectors_of_another_length_are_refused(release: Path, factor: float) -> None:
    def stretch(vectors: np.ndarray) -> np.ndarray:
        vectors[5] *= factor
        return vectors

    change_vectors(release, stretch)
    assert refusal(release)[0] == "gate_norms"


def test_vectors_of_another_type_are_refused(release: Path) -> None:
    change_vectors(release, lambda vectors: vectors.astype(np.float64))
    assert refusal(release)[0] == "vectors"
    change_vectors(release, lambda vectors: np.asfortranarray(vectors.astype(np.float32)))
    assert refusal(release)[0] == "vectors"


def test_pickled_objects_are_never_opened(release: Path) -> None:
    np.save(release / "item_vectors.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    sign(release)
    assert refusal(release)[0] == "vectors"


def test_permuted_vectors_do_not_fit_the_index(release: Path) -> None:
    change_vectors(release, lambda vectors: vectors[::-1])
    reason, sentence = refusal(release)
    assert reason == "index"
    assert "other vectors" in sentence


def test_vectors_and_index_permuted_together_do_not_fit_the_probes(release: Path) -> None:
    vectors = np.load(release / "item_vectors.npy")[::-1].copy()
    HnswIndex.build(vectors, 16, 200, 128).save(release / "items.hnsw")
    replace_file(release, "item_vectors.npy", npy_bytes(vectors))
    assert refusal(release)[0] == "golden"


def test_a_permuted_catalogue_does_not_fit_the_probes(release: Path) -> None:
    change_catalogue(release, lambda table: table.take(np.arange(len(table))[::-1]))
    reason, sentence = refusal(release)
    assert reason == "golden"
    assert "catalogue.parquet" in sentence


def test_an_index_of_another_dimension_is_refused(release: Path) -> None:
    vectors = np.load(release / "item_vectors.npy")[:, :8].copy()
    HnswIndex.build(vectors, 16, 200, 128).save(release / "items.hnsw")
    sign(release)
    reason, sentence = refusal(release)
    assert reason == "index"
    assert "300 vectors of 8 dimensions" in sentence


def test_a_poor_graph_misses_the_recall_floor(release: Path) -> None:
    vectors = np.load(release / "item_vectors.npy")
    HnswIndex.build(vectors, 2, 2, 10).save(release / "items.hnsw")
    change_manifest(release, lambda m: m["index"].update(M=2, ef_search=10, recall_floor=0.99))
    sign(release)
    assert refusal(release)[0] == "recall"


def test_text_in_place_of_an_index_is_refused(release: Path) -> None:
    replace_file(release, "items.hnsw", b"hello " * 100)
    assert refusal(release)[0] == "index"


def test_a_tower_of_another_training_is_refused(release: Path) -> None:
    prior = np.eye(16, dtype=np.float32)[0]
    replace_file(release, "user_tower.onnx", mean_tower(16, 20, prior, "test-2"))
    reason, sentence = refusal(release)
    assert reason == "version"
    assert "test-2" in sentence


def test_a_foreign_tower_under_the_right_name_fails_the_golden_probes(release: Path) -> None:
    prior = np.eye(16, dtype=np.float32)[0]
    replace_file(release, "user_tower.onnx", mean_tower(16, 20, -prior, "test-1"))
    assert refusal(release)[0] == "golden"


def test_a_tower_with_unknown_inputs_is_refused(release: Path) -> None:
    answer = np.eye(16)[0].tolist()
    tower = constant_tower(answer, {"horoscope": (FLOAT, ["B", 12])})
    replace_file(release, "user_tower.onnx", tower)
    reason, sentence = refusal(release)
    assert reason == "tower"
    assert "horoscope" in sentence


def test_an_item_tower_is_checked_as_well(release: Path) -> None:
    answer = np.eye(16)[0].tolist()
    inputs = {"category": (INT64, ["B"])}
    wrong = constant_tower(answer, inputs, output="item_vector", version="test-9")
    (release / "item_tower.onnx").write_bytes(wrong)
    change_manifest(release, lambda m: m["files"].update({"item_tower.onnx": {}}))
    change_manifest(release, lambda m: m["inputs"].update(item_tower=["category"]))
    sign(release)
    assert refusal(release)[0] == "version"
    right = constant_tower(answer, inputs, output="item_vector")
    replace_file(release, "item_tower.onnx", right)
    assert load_release(release).name == release.name


CATALOGUES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "too few items": lambda table: table.slice(0, 299),
    "a column less": lambda table: table.drop_columns(["category"]),
    "another type": lambda table: set_item(table, "price", table["price"].cast(pa.float64())),
    "repeated ids": lambda table: set_item(table, "item_id", pa.array(["item-1"] * len(table))),
    "foreign hashes": lambda table: set_item(table, "hash", pa.array([7] * 300, pa.uint64())),
    "empty cells": lambda table: set_item(table, "title", pa.array([None] * 300, pa.string())),
}


@pytest.mark.parametrize("case", CATALOGUES)
def test_a_catalogue_that_cannot_be_trusted_is_refused(release: Path, case: str) -> None:
    change_catalogue(release, CATALOGUES[case])
    assert refusal(release)[0] == "catalogue"


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"not json",
        b'{"popular": {"all": []}, "trending": {}}',
        b'{"popular": {"all": ["nobody-knows"]}, "trending": {}}',
        b'{"popular": {"all": "item-1"}}',
    ],
)
def test_a_ladder_that_leads_nowhere_is_refused(release: Path, content: bytes) -> None:
    replace_file(release, "ladder.json", content)
    reason, sentence = refusal(release)
    assert reason == "catalogue"
    assert sentence.startswith("ladder.json ")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", npy_bytes(np.zeros((2, 2)))])
def test_probes_that_cannot_be_read_are_refused(release: Path, content: bytes) -> None:
    replace_file(release, "probes.npz", content)
    assert refusal(release)[0] == "golden"


def test_probes_of_another_catalogue_are_refused(release: Path) -> None:
    probes = read_probes((release / "probes.npz").read_bytes(), 16, 300)
    foreign = replace(probes, rows=probes.rows[:, ::-1] * 0 + 299)
    replace_file(release, "probes.npz", foreign.as_bytes())
    assert refusal(release)[0] == "golden"


def test_a_broken_baseline_is_refused(release: Path) -> None:
    replace_file(release, "baseline.json", b"{")
    assert refusal(release)[0] == "manifest"


def test_an_empty_history_must_have_an_answer(release: Path) -> None:
    """Probes cover it, unless a builder left it out: then the warm-up finds it."""
    prior = np.zeros(16, dtype=np.float32)
    probes = read_probes((release / "probes.npz").read_bytes(), 16, 300)
    asked = {name: array[1:] for name, array in probes.inputs.items()}
    tower = mean_tower(16, 20, prior, "test-1")
    replace_file(release, "user_tower.onnx", tower)
    kept = replace(
        probes,
        inputs=asked,
        hashes=probes.hashes[1:],
        vectors=probes.vectors[1:],
        rows=probes.rows[1:],
    )
    replace_file(release, "probes.npz", kept.as_bytes())
    assert refusal(release)[0] == "golden"


def index_for(space: str, folder: Path) -> None:
    """An index over the same vectors, made for another metric; the file does not say which."""
    graph = hnswlib.Index(space=space, dim=16)
    graph.init_index(max_elements=300, M=16, ef_construction=200, random_seed=1)
    graph.add_items(np.load(folder / "item_vectors.npy"), np.arange(300), num_threads=1)
    graph.save_index(str(folder / "items.hnsw"))
    sign(folder)


def test_an_index_made_for_l2_answers_alike_over_unit_vectors(release: Path) -> None:
    index_for("l2", release)
    loaded = load_release(release)
    vector = loaded.catalogue.vectors[7]
    assert np.array_equal(loaded.index.search(vector, 10)[0], loaded.exact.search(vector, 10)[0])


def test_an_index_made_for_cosine_holds_vectors_of_its_own(release: Path) -> None:
    index_for("cosine", release)
    reason, sentence = refusal(release)
    assert reason == "index"
    assert "other vectors" in sentence

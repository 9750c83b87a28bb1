"""Real releases, broken in one way each: the right reason, in one sentence."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.draft import npy_bytes
from models.mean_tower import mean_tower
from service.domain.ladders import ALL
from service.domain.sessions import Session
from service.errors import ReleaseRefused
from service.indexes.hnsw import HnswIndex
from service.releases.loader import CHECKS, load_release, verify
from service.releases.probes import read_probes
from tests.factories import make_session
from tests.releases import BUILT_AT_S, make_draft, make_shop
from tests.service.releases.breaking import (
    Json,
    change_catalogue,
    change_manifest,
    change_vectors,
    replace_file,
    set_item,
    sign,
)
from tests.towers import FLOAT, INT64, constant_tower

FILES = (
    "user_tower.onnx",
    "items.hnsw",
    "item_vectors.npy",
    "catalogue.parquet",
    "ladder.json",
    "probes.npz",
    "baseline.json",
)


def refusal(folder: Path) -> tuple[str, str]:
    """Reason and sentence."""
    with pytest.raises(ReleaseRefused) as refused:
        load_release(folder)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return refused.value.reason, sentence


def test_a_clean_release_loads_and_answers(clean: Path) -> None:
    release = load_release(clean)
    assert (release.name, release.dim, len(release.catalogue)) == (clean.name, 16, 300)
    item = release.catalogue.item_ids[0]
    session = make_session((item, "purchase"))
    vector = release.tower.embed(session, release.catalogue, BUILT_AT_S)
    rows, _ = release.index.search(vector, 10)
    assert rows[0] == 0
    assert (release.catalogue.categories[rows] == release.catalogue.categories[0]).sum() > 5
    assert len(release.ladder.popular_in(ALL)) == 200


@pytest.mark.parametrize("seed", [2, 3])
def test_other_clean_releases_load_too(tmp_path: Path, seed: int) -> None:
    from_seed = make_draft(make_shop(n_items=60, dim=8, seed=seed), seed=seed)
    folder = tmp_path / from_seed.manifest.release
    folder.mkdir()
    names = from_seed.write(folder)
    facts = {name: {"sha256": "0" * 64, "bytes": 0} for name in names}
    (folder / "manifest.json").write_text(from_seed.manifest.as_json())
    change_manifest(folder, lambda document: document.update(files=facts))
    sign(folder)
    assert load_release(folder).dim == 8


def test_verify_reports_every_check(clean: Path) -> None:
    results = verify(clean)
    assert [result.name for result in results] == [name for name, _ in CHECKS]
    assert all(result.passed and result.detail for result in results)


def test_verify_stops_at_the_first_failure_and_says_why(release: Path) -> None:
    (release / "item_vectors.npy").write_bytes(b"")
    *passed, last = verify(release)
    assert all(result.passed for result in passed)
    assert (last.name, last.passed, last.reason) == ("checksums", False, "checksum")
    assert "item_vectors.npy" in last.detail


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    reason, sentence = refusal(release)
    assert reason == "missing"
    assert name in sentence


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_before_it_is_opened(release: Path, name: str) -> None:
    content = (release / name).read_bytes()
    (release / name).write_bytes(content[: len(content) // 2])
    reason, sentence = refusal(release)
    assert reason == "checksum"
    assert name in sentence


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_refused(release: Path, name: str) -> None:
    content = bytearray((release / name).read_bytes())
    content[len(content) // 2] ^= 1
    (release / name).write_bytes(content)
    assert refusal(release) == (
        "checksum",
        f"{name} is not the file that was published (SHA-256 differs): copy it again",
    )


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_place_of_a_file_is_refused(release: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    (release / name).rename(outside)
    (release / name).symlink_to(outside)
    assert refusal(release)[0] == "name"
    (release / name).unlink()
    os.link(outside, release / name)
    assert refusal(release)[0] == "name"


def test_a_release_folder_that_is_a_link_is_refused(release: Path, tmp_path: Path) -> None:
    link = tmp_path / "20991231-000000"
    link.symlink_to(release)
    assert refusal(link)[0] == "name"


@pytest.mark.parametrize("name", ["Upper", "-x", ".hidden", "a b", "a" * 65, "a..b", "é"])
def test_a_folder_with_a_bad_name_is_refused(release: Path, name: str) -> None:
    folder = release.rename(release.with_name(name))
    assert refusal(folder)[0] == "name"


def test_a_renamed_release_is_refused(release: Path) -> None:
    folder = release.rename(release.with_name("other"))
    reason, sentence = refusal(folder)
    assert reason == "name"
    assert "20231114-000000" in sentence


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere")[0] == "missing"


MANIFESTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "dim": (lambda m: m.update(dim=8), "vectors"),
    "count": (lambda m: m.update(n_items=299), "vectors"),
    "metric": (lambda m: m.update(metric="l2"), "manifest"),
    "engine": (lambda m: m["index"].update(engine="faiss"), "manifest"),
    "schema": (lambda m: m.update(schema_version=2), "manifest"),
    "version": (lambda m: m.update(embedding_version="other"), "version"),
    "history": (lambda m: m.update(history_length=50), "tower"),
    "inputs": (lambda m: m["inputs"].update(user_tower=["item_rows"]), "tower"),
    "actions": (lambda m: m.update(actions=["stare"]), "manifest"),
    "recall floor": (lambda m: m["index"].update(recall_floor=1.0), "recall"),
    "no files": (lambda m: m.update(files={}), "missing"),
    "a path": (lambda m: m["files"].update({"../x": m["files"]["ladder.json"]}), "manifest"),
    "a hash": (lambda m: m["files"]["ladder.json"].update(sha256="abc"), "manifest"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_does_not_fit_is_refused(release: Path, case: str) -> None:
    change, reason = MANIFESTS[case]
    change_manifest(release, change)
    assert refusal(release)[0] == reason


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
    assert refusal(release)[0] == "vectors"


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
    change_manifest(release, lambda m: m["index"].update(ef_search=10, recall_floor=0.99))
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


def test_nothing_of_a_release_can_be_changed_after_loading(clean: Path) -> None:
    release = load_release(clean)
    for array in (release.catalogue.vectors, release.catalogue.prices, release.stock.in_stock):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert release.tower.embed(Session(), release.catalogue, BUILT_AT_S).shape == (16,)


def test_manifests_are_plain_json(clean: Path) -> None:
    document = json.loads((clean / "manifest.json").read_text())
    assert document["schema_version"] == 1
    assert set(document["files"]) == set(FILES)

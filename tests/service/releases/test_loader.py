"""Real releases, broken in one way each: the right reason, in one sentence."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.domain.ladders import ALL
from service.domain.sessions import Session
from service.releases.loader import CHECKS, lines, load_release, verify
from tests.factories import make_session
from tests.releases import BUILT_AT_S, make_draft, make_shop
from tests.service.releases.breaking import (
    Json,
    change_manifest,
    refusal,
    sign,
)

FILES = (
    "user_tower.onnx",
    "items.hnsw",
    "item_vectors.npy",
    "catalogue.parquet",
    "ladder.json",
    "probes.npz",
    "baseline.json",
)


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


def test_no_thread_is_left_when_a_host_wants_to_fork(clean: Path) -> None:
    load_release(clean)
    before = os.listdir("/proc/self/task")
    load_release(clean)
    assert os.listdir("/proc/self/task") == before


def test_what_was_found_is_a_table(clean: Path, release: Path) -> None:
    page = list(lines(verify(clean)))
    assert len(page) == len(CHECKS) + 1
    assert page[-1].startswith(f"all {len(CHECKS)} checks passed in ")
    (release / "probes.npz").write_bytes(b"")
    page = list(lines(verify(release)))
    assert page[2].startswith("REFUSED  checksums ")
    assert "(checksum) probes.npz is 0 bytes long" in page[2]
    assert [line.split()[1:] for line in page[3:]] == [
        [name, "not", "run"] for name, _ in CHECKS[3:]
    ]


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
    "schema": (lambda m: m.update(schema_version=1), "manifest"),
    "version": (lambda m: m.update(embedding_version="other"), "version"),
    "history": (lambda m: m.update(history_length=50), "tower"),
    "inputs": (lambda m: m["inputs"].update(user_tower=["item_rows"]), "tower"),
    "actions": (lambda m: m.update(actions=["stare"]), "manifest"),
    "recall floor": (lambda m: m["index"].update(ef_search=1, recall_floor=1.0), "recall"),
    "no files": (lambda m: m.update(files={}), "missing"),
    "a path": (lambda m: m["files"].update({"../x": m["files"]["ladder.json"]}), "manifest"),
    "a hash": (lambda m: m["files"]["ladder.json"].update(sha256="abc"), "manifest"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_does_not_fit_is_refused(release: Path, case: str) -> None:
    change, reason = MANIFESTS[case]
    change_manifest(release, change)
    assert refusal(release)[0] == reason


def test_nothing_of_a_release_can_be_changed_after_loading(clean: Path) -> None:
    release = load_release(clean)
    for array in (release.catalogue.hashes, release.catalogue.prices, release.stock.in_stock):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert release.tower.embed(Session(), release.catalogue, BUILT_AT_S).shape == (16,)


def test_manifests_are_plain_json(clean: Path) -> None:
    document = json.loads((clean / "manifest.json").read_text())
    assert document["schema_version"] == 2
    assert set(document["files"]) == {*FILES, "item_tower.onnx"}

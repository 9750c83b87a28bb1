"""The index: settings raised until the recall floor holds."""

from pathlib import Path

import numpy as np
import pytest

from models.__main__ import main
from models.build_index import build_index
from models.errors import PublishInvalid
from service.domain.arrays import Vectors
from service.indexes.hnsw_file import read_index_file


def unit_vectors(n: int, dim: int = 24, seed: int = 1) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_good_setting_is_taken_at_once() -> None:
    vectors = unit_vectors(500)
    built = build_index(vectors, vectors[:50])
    assert len(built.trials) == 1
    assert built.facts.recall >= 0.95
    assert built.trials[0].p50_us > 0.0


def test_ef_is_raised_until_the_floor_holds() -> None:
    vectors = unit_vectors(3000)
    built = build_index(vectors, unit_vectors(60, seed=2), floor=0.97, ms=(6, 16))
    ef = [trial.ef_search for trial in built.trials if trial.M == 6]
    recalls = [trial.recall for trial in built.trials if trial.M == 6]
    assert len(ef) > 1
    assert ef == sorted(ef)
    assert recalls == sorted(recalls)
    assert built.facts.ef_search == built.trials[-1].ef_search
    assert all(trial.recall < 0.97 for trial in built.trials[:-1])
    assert built.trials[-1].recall >= 0.97


def test_m_is_raised_when_no_ef_is_enough() -> None:
    vectors = unit_vectors(3000)
    built = build_index(vectors, unit_vectors(60, seed=2), floor=0.9, efs=(100,), ms=(2, 24))
    assert [trial.M for trial in built.trials] == [2, 24]
    assert built.facts.M == 24


def test_a_floor_out_of_reach_is_one_sentence() -> None:
    vectors = unit_vectors(2000)
    with pytest.raises(PublishInvalid, match=r"misses its recall floor 1.0; the best of 1 "):
        build_index(vectors, unit_vectors(40, seed=2), floor=1.0, efs=(100,), ms=(2,))


def test_the_command_writes_an_index_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "v.npy", unit_vectors(200))
    out = tmp_path / "items.hnsw"
    assert main(["index", "--vectors", str(tmp_path / "v.npy"), "--out", str(out)]) == 0
    assert read_index_file(out).header.count == 200
    assert "recall at 100 1.0000" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.hnsw", "v.npy"]


def test_vectors_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "items.hnsw"
    assert main(["index", "--vectors", str(tmp_path / "no.npy"), "--out", str(out)]) == 2
    assert "no.npy is not a readable .npy file" in capsys.readouterr().err
    assert not out.exists()

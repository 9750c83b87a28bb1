"""From a log to a live release, and on to the next one."""

import csv
import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.__main__ import main
from models.building.making import has_repeats
from models.building.release_report import report
from models.interactions import read_log
from models.recipes import Dataset, Recipe
from models.release import Job, make_release
from service.domain.sessions import Session
from service.ports.serving import Release
from service.releases.loader import load_release
from service.releases.local_store import LocalStore
from service.releases.manifest import Manifest, read_manifest
from tests.factories import make_session
from tests.shop import make_shop

pytestmark = pytest.mark.torch

RECIPE = Recipe(dim=16, epochs=2, hidden=16, threads=1)
AT_S = 1_605_000_000.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and a work folder, made from a log that is taken to be large enough."""
    root = tmp_path_factory.mktemp("trained")
    dataset = replace(Dataset("shop"), recipe=RECIPE)
    job = Job(read_log(data, dataset), dataset, str(root / "store"), root / "work")
    draft, published = make_release(job, (), "20200101-000000")
    lines = list(report(draft, published, job.seconds))
    assert any(line.startswith("quality     next order") for line in lines)
    return root


def live(store: Path) -> tuple[Release, Manifest]:
    folder = store / LocalStore(store).current()
    return load_release(folder), read_manifest(folder / "manifest.json")


def test_too_little_data_still_makes_a_release_that_serves(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, work = tmp_path / "store", tmp_path / "work"
    arguments = ["--data", str(data), "--out", str(store), "--work", str(work)]
    assert main(["release", *arguments, "--name", "20200101-000000"]) == 0
    assert "too little to train two towers" in capsys.readouterr().out
    release, facts = live(store)
    assert facts.data["is_trained"] is False
    session = make_session(("i06", "purchase"))
    vector = release.tower.embed(session, release.catalogue, AT_S)
    nearest = [release.catalogue.titles[row] for row in release.index.search(vector, 10)[0]]
    assert all("even" in title for title in nearest)
    assert main(["refresh", "--data", str(data), "--store", str(store), "--work", str(work)]) == 0
    assert live(store)[1].parent == "20200101-000000"


def test_a_trained_release_says_how_good_it_is(trained: Path) -> None:
    release, facts = live(trained / "store")
    assert facts.data["is_trained"] is True
    assert set(facts.metrics["targets"]) == {"new items", "next order"}  # type: ignore[call-overload]
    assert facts.data["action_types_unseen"]
    assert release.tower.embed(Session(), release.catalogue, AT_S).shape == (16,)


def test_a_refresh_takes_new_items_and_counts_without_training(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(data, newer)
    with gzip.open(newer / "items.csv.gz", "at", newline="") as file:
        csv.writer(file).writerow(["zz-new", "even lamp 99", *blank_cells(newer)])
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    before, old = live(store)
    arguments = ["--data", str(newer), "--store", str(store), "--work", str(trained / "work")]
    assert main(["refresh", *arguments, "--name", "20200102-000000"]) == 0
    after, new = live(store)
    assert new.embedding_version == old.embedding_version
    assert (new.parent, new.n_items) == (old.release, old.n_items + 1)
    assert after.catalogue.is_new[after.catalogue.row_of("zz-new")]
    assert before.catalogue.row_of("zz-new") == -1
    assert float(str(new.skew["old_tower_new_index"])) > 0.9


def blank_cells(folder: Path) -> list[str]:
    with gzip.open(folder / "items.csv.gz", "rt", newline="") as file:
        header, first = list(csv.reader(file))[:2]
    return first[2 : len(header)]


def test_a_refresh_without_the_weights_is_one_sentence(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data), "--store", str(trained / "store")]
    assert main(["refresh", *arguments, "--work", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is missing: name the folder" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["release", "--data", "{tmp}/no", "--out", "{tmp}/store"], "is not a folder"),
        (["refresh", "--data", "{data}", "--store", "{tmp}/store"], "nothing to refresh"),
        (
            ["publish", "--data", "{data}", "--trained", "{tmp}", "--out", "{tmp}/store"],
            "train again",
        ),
        (["export", "{data}", "--trained", "{tmp}", "--out", "{tmp}/onnx"], "train again"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    filled = [word.format(tmp=tmp_path, data=data) for word in words]
    assert main(filled) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_export_and_publish_work_from_a_folder_of_trained_towers(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    weights = next(path for path in (trained / "work").iterdir() if path.name.count("-") == 0)
    out = tmp_path / "onnx"
    assert main(["export", str(data), "--trained", str(weights), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"user_tower.onnx", "item_tower.onnx"}
    store = tmp_path / "store"
    words = ["publish", "--data", str(data), "--trained", str(weights), "--out", str(store)]
    assert main([*words, "--again-weight", "0.25"]) == 0
    assert live(store)[1].again.weight == 0.25
    release = str(store / LocalStore(store).current())
    assert main(["verify", release]) == 0
    (store / LocalStore(store).current() / "ladder.json").unlink()
    assert main(["verify", release]) == 2


def test_repeats_are_told_from_single_purchases(data: Path) -> None:
    log = read_log(data, Dataset("shop"))
    assert has_repeats(log)
    first = np.unique(log.user.astype(np.int64) * log.items.n + log.item, return_index=True)[1]
    first.sort()
    columns = {
        name: getattr(log, name)[first] for name in ("user", "item", "action", "at_s", "order")
    }
    assert not has_repeats(replace(log, **columns))

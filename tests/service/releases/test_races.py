"""F37: a release that changes while it is being loaded is refused, or was loaded before it did."""

import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.errors import ReleaseRefused
from service.releases.handshake import handshake
from service.releases.loader import CHECKS, load_release
from service.releases.loading import Loading
from tests.releases import make_release

RACES = 200
LONGEST_S = 0.06
FILES = ("items.hnsw", "item_vectors.npy", "catalogue.parquet", "user_tower.onnx", "manifest.json")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    stores = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    one, two = (make_release(store, seed=seed) for seed, store in enumerate(stores, 1))
    return one, two


def replaced(folder: Path, name: str, source: Path) -> None:
    """As an upload does it: another file under the same name."""
    shutil.copyfile(source / name, folder.parent / "upload")
    os.replace(folder.parent / "upload", folder / name)


def overwritten(folder: Path, name: str, source: Path) -> None:
    """As a careless copy does it: other bytes in the same file."""
    content = (source / name).read_bytes()
    with (folder / name).open("r+b") as file:
        file.truncate(len(content))
        file.write(content)


def test_f37_no_race_loads_a_mixture(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = pair
    folder = tmp_path / one.name
    shutil.copytree(one, folder)
    chance, vectors = random.Random(37), np.load(one / "item_vectors.npy")
    loaded = refused = 0
    for _ in range(RACES):
        name = chance.choice(FILES)
        writer = threading.Timer(chance.uniform(0.0, LONGEST_S), replaced, (folder, name, two))
        writer.start()
        try:
            release = load_release(folder)
        except ReleaseRefused:
            refused += 1
        else:
            loaded += 1
            assert handshake(release) is None
            assert np.array_equal(release.catalogue.vectors, vectors)
        writer.join()
        replaced(folder, name, one)
    assert loaded + refused == RACES
    assert refused > 0


@pytest.mark.parametrize("write", [replaced, overwritten])
@pytest.mark.parametrize("before", [name for name, _ in CHECKS[3:]])
def test_f37_a_change_at_any_moment_is_found(
    pair: tuple[Path, Path],
    tmp_path: Path,
    before: str,
    write: Callable[[Path, str, Path], None],
) -> None:
    one, two = pair
    folder = tmp_path / one.name
    shutil.copytree(one, folder)
    loading = Loading(folder)
    with pytest.raises(ReleaseRefused):
        for name, check in CHECKS:
            if name == before:
                write(folder, "ladder.json", two)
            check(loading)


def test_what_is_loaded_does_not_change_with_its_files(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Somebody copies another release over the folder of the live one, and cuts files off."""
    one, two = pair
    folder = tmp_path / one.name
    shutil.copytree(one, folder)
    release, before = load_release(folder), load_release(one)
    for name in FILES:
        overwritten(folder, name, two)
    os.truncate(folder / "item_vectors.npy", 0)
    assert np.array_equal(release.catalogue.vectors, before.catalogue.vectors)
    query = before.catalogue.vectors[3]
    assert release.exact.search(query, 20)[0].tolist() == before.exact.search(query, 20)[0].tolist()
    assert release.index.search(query, 20)[0].tolist() == before.index.search(query, 20)[0].tolist()
    assert handshake(release) is None

"""Every mutated release is refused for the right reason; clean ones never are."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from service.errors import REASONS, ReleaseRefused
from service.releases.loader import load_release
from tests.releases import make_release
from tests.service.releases.breaking import refusal, sign
from tests.service.releases.making import make_release_with_item_tower
from tests.service.releases.mutated_manifests import MANIFESTS
from tests.service.releases.mutated_parts import PUBLISHED
from tests.service.releases.mutated_towers import TOWERS
from tests.service.releases.mutations import COPIED, EXCHANGED, FILES

MUTATIONS = COPIED | EXCHANGED | MANIFESTS | PUBLISHED | TOWERS


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Releases of two trainings on the same items."""
    stores = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    one, two = (make_release_with_item_tower(store, i + 1) for i, store in enumerate(stores))
    return one, two


@pytest.fixture
def copy(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    folder = tmp_path / pair[0].name
    shutil.copytree(pair[0], folder)
    return folder


def test_the_releases_are_clean_before(pair: tuple[Path, Path], copy: Path) -> None:
    assert len(MUTATIONS) >= 150
    for folder in (*pair, copy):
        assert load_release(folder).name == folder.name
    sign(copy)
    assert load_release(copy).name == copy.name


@pytest.mark.parametrize("case", MUTATIONS)
def test_a_mutated_release_is_refused(pair: tuple[Path, Path], copy: Path, case: str) -> None:
    mutation = MUTATIONS[case]
    mutation.change(copy, pair[1])
    reason, sentence = refusal(copy)
    assert (reason, mutation.file in sentence) == (mutation.reason, True), sentence
    assert ": " in sentence  # what to do
    assert len(sentence) < 500


@pytest.mark.parametrize("name", FILES)
def test_a_builder_that_flips_bytes_is_refused_or_harmless(copy: Path, name: str) -> None:
    """Signed and stamped, so that hashes tell nothing: never a crash, never another error."""
    clean = (copy / name).read_bytes()
    random = np.random.default_rng(len(name))
    for at in random.integers(0, len(clean), 12):
        content = bytearray(clean)
        content[at] ^= 1 << int(random.integers(8))
        (copy / name).write_bytes(content)
        sign(copy)
        try:
            load_release(copy)
        except ReleaseRefused as error:
            assert error.reason in REASONS
        (copy / name).write_bytes(clean)


CLEAN = [(1, 2), (2, 3), (3, 8), (4, 4), (5, 16), (6, 2), (9, 3), (10, 5), (11, 64), (19, 7)] + [
    (int(n), int(dim))
    for n, dim in zip(
        np.random.default_rng(20).integers(20, 1500, 10),
        np.random.default_rng(21).choice([2, 3, 4, 8, 16, 32, 64, 100, 128], 10),
        strict=True,
    )
]


@pytest.mark.parametrize(("seed", "n_items", "dim"), [(i, *size) for i, size in enumerate(CLEAN)])
def test_a_clean_release_is_never_refused(
    tmp_path: Path, seed: int, n_items: int, dim: int
) -> None:
    folder = make_release(tmp_path, n_items=n_items, dim=dim, seed=seed)
    assert len(load_release(folder).catalogue) == n_items

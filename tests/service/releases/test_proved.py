"""A release that was proved is not proved again, as long as nobody touched its files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.errors import ReleaseRefused
from service.releases.handshake import handshake
from service.releases.loader import CHECKS, PROOFS, load
from service.releases.loading import Loading

NEEDED = [name for name, _ in CHECKS if name not in PROOFS]
FILES = ("manifest.json", "items.hnsw", "item_vectors.npy", "catalogue.parquet", "probes.npz")


def touched(path: Path) -> None:
    os.utime(path)


def rewritten(path: Path) -> None:
    """The same bytes, and the old time of writing put back."""
    before = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Another file of the same bytes and time of writing."""
    shutil.copy2(path, path.parent.with_name("copy"))
    path.parent.with_name("copy").rename(path)


def flipped(path: Path) -> None:
    """One bit is another one, and the old time of writing put back."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_release_of_which_nothing_is_known_is_proved(release: Path) -> None:
    assert load(release).left_out == ()


def test_a_proved_release_is_loaded_without_its_proofs_and_answers_alike(release: Path) -> None:
    first = load(release)
    again = load(release, first.proved)
    assert again.left_out == tuple(name for name, _ in CHECKS if name in PROOFS)
    assert again.proved == first.proved
    assert handshake(again.release) is None
    query = first.release.catalogue.vectors[3]
    before, after = (one.release.index.search(query, 100) for one in (first, again))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [touched, rewritten, replaced])
def test_a_file_that_somebody_touched_is_proved_again(
    release: Path, name: str, change: Callable[[Path], None]
) -> None:
    proved = load(release).proved
    change(release / name)
    assert load(release, proved).left_out == ()


@pytest.mark.parametrize("name", FILES[1:])
def test_a_file_that_somebody_damaged_is_refused_for_its_bytes(release: Path, name: str) -> None:
    proved = load(release).proved
    flipped(release / name)
    with pytest.raises(ReleaseRefused) as refused:
        load(release, proved)
    assert refused.value.reason == "checksum"
    assert name in str(refused.value)


def test_the_proof_of_another_release_is_none(release: Path, clean: Path) -> None:
    assert load(release, load(clean).proved).left_out == ()


@pytest.mark.parametrize("before", NEEDED[2:])
def test_f37_a_change_at_any_moment_of_loading_it_again_is_found(
    release: Path, before: str
) -> None:
    loading, checks = Loading(release, load(release).proved), dict(CHECKS)
    with pytest.raises(ReleaseRefused):
        for name in NEEDED:
            if name == before:
                rewritten(release / "item_vectors.npy")
            checks[name](loading)
    assert loading.is_proved, "it was, when it was opened"

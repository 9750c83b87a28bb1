"""The files of a release folder: all there, nothing but plain files, of the right bytes."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service.errors import ReleaseRefused
from service.releases.manifest import FILE, REQUIRED_FILES, FileFacts, Manifest, is_release_name

HASHING_THREADS = 4


def check_folder(folder: Path) -> None:
    """Refuse what is no release folder: a bad name, a link, no folder at all.

    Raises:
        ReleaseRefused: "name" or "missing".
    """
    if not is_release_name(folder.name):
        raise ReleaseRefused(
            "name",
            f"{folder.name[:80]!r} is no release name: use lower case letters, digits, dots and "
            "hyphens, 1 to 64",
        )
    if folder.is_symlink():
        raise ReleaseRefused("name", f"{folder} is a link: a release must be a folder itself")
    if not folder.is_dir():
        raise ReleaseRefused(
            "missing", f"{folder} is not a folder: name one that `python -m models release` made"
        )


def check_complete(folder: Path, manifest: Manifest) -> None:
    """Refuse a release that lacks a file, holds another one, or a link where a file should be.

    Raises:
        ReleaseRefused: "missing" or "name".
    """
    for name in REQUIRED_FILES:
        if name not in manifest.files:
            raise ReleaseRefused("missing", f"{FILE}: files lacks {name}: publish it again")
    wanted = (FILE, *manifest.files)
    for name in wanted:
        _check_plain(folder, name)
    for name in sorted(set(os.listdir(folder)) - set(wanted)):
        raise ReleaseRefused(
            "name",
            f"{name[:80]!r} is not a file of {FILE}: remove it, or wait until the copy is complete",
        )


def check_bytes(folder: Path, manifest: Manifest) -> None:
    """Compare the length and SHA-256 of every file with the manifest, on all cores.

    Raises:
        ReleaseRefused: "checksum".
    """
    for name, facts in manifest.files.items():
        size = (folder / name).stat().st_size
        if size != facts.bytes:
            raise ReleaseRefused(
                "checksum",
                f"{name} is {size} bytes long, the manifest says {facts.bytes}: copy it again",
            )
    largest_first = sorted(manifest.files, key=lambda name: -manifest.files[name].bytes)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:  # the threads end here: a host forks later
        found = list(pool.map(lambda name: _sha256(folder / name), largest_first))
    for name, digest in zip(largest_first, found, strict=True):
        if digest != manifest.files[name].sha256:
            raise _changed(name)


Identity = tuple[int, int, int, int]
"""Inode, length, and the nanoseconds of the last write and of the last change of any kind."""


Identities = Mapping[str, Identity]
"""By file name, the manifest's among them."""


def identities(folder: Path, manifest: Manifest) -> Identities:
    """What tells whether a file has been replaced or written since."""
    found = {}
    for name in (FILE, *manifest.files):
        status = (folder / name).lstat()
        found[name] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def check_unchanged(folder: Path, manifest: Manifest, before: Identities) -> None:
    """Refuse files that were replaced or written while they were being loaded.

    Raises:
        ReleaseRefused: "checksum".
    """
    try:
        now = identities(folder, manifest)
    except OSError as error:
        raise ReleaseRefused(
            "missing", f"{folder} was removed while it was being loaded: copy it again"
        ) from error
    for name, identity in before.items():
        if now[name] != identity:
            raise ReleaseRefused(
                "checksum", f"{name} was changed while it was being loaded: copy it again"
            )


def read_checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    """Read a file whose very bytes are those of the manifest.

    Raises:
        ReleaseRefused: "checksum".
    """
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:
        raise _changed(name)
    return content


def file_facts(folder: Path, names: Iterable[str]) -> dict[str, FileFacts]:
    """What a manifest says of these files."""
    facts = {}
    for name in names:
        facts[name] = FileFacts(_sha256(folder / name), (folder / name).stat().st_size)
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_plain(folder: Path, name: str) -> None:
    try:
        status = (folder / name).lstat()
    except OSError as error:
        raise ReleaseRefused(
            "missing", f"{name} is missing: the release is incomplete, copy or publish it again"
        ) from error
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise ReleaseRefused(
            "name", f"{name} is a link or no plain file: copy the file itself into the release"
        )


def _changed(name: str) -> ReleaseRefused:
    return ReleaseRefused(
        "checksum", f"{name} is not the file that was published (SHA-256 differs): copy it again"
    )

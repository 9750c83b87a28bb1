"""The files of a release folder: all there, nothing but plain files, of the right bytes."""

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

from service.errors import ReleaseRefused
from service.releases.manifest import FILE, REQUIRED_FILES, FileFacts, Manifest, is_release_name


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
    """Refuse a release that lacks a file, or holds a link where a file should be.

    Raises:
        ReleaseRefused: "missing" or "name".
    """
    for name in REQUIRED_FILES:
        if name not in manifest.files:
            raise ReleaseRefused("missing", f"{FILE}: files lacks {name}: publish it again")
    for name in (FILE, *manifest.files):
        _check_plain(folder, name)


def check_bytes(folder: Path, manifest: Manifest) -> None:
    """Compare the length and SHA-256 of every file with the manifest.

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
    for name, facts in manifest.files.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != facts.sha256:
            raise _changed(name)


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
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts[name] = FileFacts(digest, (folder / name).stat().st_size)
    return facts


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

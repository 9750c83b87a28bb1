"""A folder that holds releases, and the one rule of what CURRENT may say."""

import os
from collections.abc import Collection
from pathlib import Path

from service.errors import ReleaseRefused, SetupInvalid
from service.releases.files import check_folder
from service.releases.manifest import FILE, Manifest, is_release_name, read_manifest

CURRENT = "CURRENT"
NAME_LIMIT = 200
UNFINISHED = ".unfinished-"
"""How the names begin of what is being written; the id of the process follows."""
BUILD_ONE = "build a release with `python -m models release --data DIR --out STORE`"


class LocalStore:
    """Releases in a folder of this machine (`service.releases.store.ReleaseStore`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def workbench(self) -> Path:
        """See `ReleaseStore.workbench`."""
        return self._folder

    def current(self) -> str:
        """See `ReleaseStore.current`."""
        place = self._folder / CURRENT
        if not self._folder.is_dir():
            raise SetupInvalid(f"the store {self._folder} is not a folder: {BUILD_ONE}")
        try:
            with place.open("rb") as file:
                content = file.read(NAME_LIMIT)
        except FileNotFoundError as error:
            raise SetupInvalid(f"the store {self._folder} has no {CURRENT}: {BUILD_ONE}") from error
        except OSError as error:
            raise SetupInvalid(f"{place} cannot be read ({error}): {BUILD_ONE}") from error
        return named_current(content, str(place))

    def names(self) -> tuple[str, ...]:
        """See `ReleaseStore.names`."""
        found = self._folder.glob(f"*/{FILE}")
        return tuple(
            sorted(path.parent.name for path in found if is_release_name(path.parent.name))
        )

    def manifest(self, name: str) -> Manifest:
        """See `ReleaseStore.manifest`."""
        return read_manifest(self.fetch(name) / FILE)

    def fetch(self, name: str) -> Path:
        """See `ReleaseStore.fetch`; there is nothing to copy."""
        folder = self._folder / checked_name(name)
        check_folder(folder)
        return folder

    def add(self, folder: Path) -> Path:
        """See `ReleaseStore.add`."""
        place = self._folder / checked_name(folder.name)
        if place.exists():
            raise FileExistsError(f"{place} exists already")
        folder.rename(place)
        flush(self._folder)
        return place

    def set_current(self, name: str) -> None:
        """See `ReleaseStore.set_current`; flushed to disk."""
        partial = self._folder / f"{UNFINISHED}{os.getpid()}-{CURRENT}"
        partial.write_text(f"{checked_name(name)}\n", encoding="utf-8")
        flush(partial)
        partial.replace(self._folder / CURRENT)
        flush(self._folder)

    def evict(self, kept: Collection[str]) -> tuple[str, ...]:
        """See `ReleaseStore.evict`; nothing was copied, so nothing goes."""
        return ()


def checked_name(name: str) -> str:
    """The name, if it is one; nothing else may reach a file system.

    Raises:
        ReleaseRefused: "name".
    """
    if not is_release_name(name):
        raise ReleaseRefused("name", f"{name[:80]!r} is no release name: see `sightline release`")
    return name


def named_current(content: bytes, place: str) -> str:
    """The release that the content of a CURRENT file names.

    Raises:
        SetupInvalid: it names nothing that can be a release.
    """
    name = content[:NAME_LIMIT].decode(errors="replace").strip()
    if not is_release_name(name):
        raise SetupInvalid(f"{place} holds {name[:80]!r}, which is no release name: {BUILD_ONE}")
    return name


def flush(path: Path) -> None:
    """Waits until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

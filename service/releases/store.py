"""Where releases are kept: a folder, or anything that fsspec reaches by URL."""

import importlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, cast

from service.releases.local_store import LocalStore
from service.releases.manifest import Manifest

LOCAL = "file://"


class ReleaseStore(Protocol):
    """Holds releases by name, and the name of the one that should be live.

    Every method may block for as long as its store does: within two minutes, remote ones give up.
    Reading goes on without a store that is down, from what was fetched before.
    """

    @property
    def workbench(self) -> Path:
        """A local folder inside which releases for `add` are made; it may not be there yet."""
        ...

    def current(self) -> str:
        """The release that the store calls current.

        Raises:
            SetupInvalid: no such store, no CURRENT, or CURRENT names nothing that can be a release.
        """
        ...

    def names(self) -> tuple[str, ...]:
        """Complete releases, oldest first.

        Raises:
            SetupInvalid: the store does not answer.
        """
        ...

    def manifest(self, name: str) -> Manifest:
        """The manifest of a release, without fetching the rest.

        Raises:
            ReleaseRefused: "name", "missing", "incomplete" or "manifest".
        """
        ...

    def fetch(self, name: str) -> Path:
        """A local folder that holds the whole release; whoever loads it has to verify it.

        Raises:
            ReleaseRefused: "name", "missing", "incomplete" (cut off), "checksum" or "disk".
        """
        ...

    def evict(self, kept: Collection[str]) -> tuple[str, ...]:
        """Remove fetched copies but for those named and the newest few; returns what went."""
        ...

    def add(self, folder: Path) -> Path:
        """Take over a release that was made in the workbench; it is there as a whole, or not.

        Returns:
            Where it lies on this machine now.

        Raises:
            FileExistsError: releases are never changed.
            OSError: the store cannot be written.
        """
        ...

    def set_current(self, name: str) -> None:
        """Name the release that should be live, atomically.

        Raises:
            OSError: the store cannot be written.
        """
        ...


def open_store(url: str, cache: Path) -> ReleaseStore:
    """The store at a path or URL; nothing is read yet.

    Args:
        url: a folder, or a URL such as s3://bucket/folder.
        cache: folder for the releases that are fetched; a local store needs none.

    Raises:
        SetupInvalid: a URL of a kind that is not known, or whose backend is not installed.
    """
    path = url.removeprefix(LOCAL)
    if "://" not in path:
        return LocalStore(Path(path))
    # fsspec takes a fifth of a second to import, which nobody pays who has a folder
    module = importlib.import_module("service.releases.remote_store")
    return cast(Callable[[str, Path], ReleaseStore], module.RemoteStore)(url, cache)

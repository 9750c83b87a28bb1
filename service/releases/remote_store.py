"""A store by URL: releases are copied to a local cache, whole, before anybody loads them."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import ReleaseRefused, SetupInvalid
from service.releases.cache import ReleaseCache
from service.releases.files import file_facts
from service.releases.local_store import (
    BUILD_ONE,
    CURRENT,
    NAME_LIMIT,
    checked_name,
    named_current,
)
from service.releases.manifest import (
    FILE,
    LARGEST_BYTES,
    FileFacts,
    Manifest,
    is_release_name,
    parse_manifest,
    read_manifest,
)
from service.releases.remote import Remote, Unreachable

log = logging.getLogger(__name__)


class RemoteStore:
    """Releases below a URL (`service.releases.store.ReleaseStore`)."""

    def __init__(self, url: str, cache: Path) -> None:
        self._url = url.rstrip("/")
        self._remote = Remote(self._url)
        self._cache = ReleaseCache(cache, self._url)

    @property
    def workbench(self) -> Path:
        """See `ReleaseStore.workbench`."""
        return self._cache.folder

    def current(self) -> str:
        """See `ReleaseStore.current`; what it was when the store answered last, if it does not."""
        place = f"{self._url}/{CURRENT}"
        try:
            content = self._remote.read(CURRENT, NAME_LIMIT)
        except FileNotFoundError as error:
            raise SetupInvalid(f"the store {self._url} has no {CURRENT}: {BUILD_ONE}") from error
        except Unreachable as error:
            return self._last_current(error)
        name = named_current(content, place)
        self._cache.note_current(name)
        return name

    def names(self) -> tuple[str, ...]:
        """See `ReleaseStore.names`; those that were fetched, if the store does not answer."""
        try:
            paths = [path.split("/") for path in self._remote.paths(depth=2)]
        except FileNotFoundError:
            return ()
        except Unreachable as error:
            return self._fetched_names(error)
        return tuple(sorted(path[0] for path in paths if _is_manifest(path)))

    def manifest(self, name: str) -> Manifest:
        """See `ReleaseStore.manifest`."""
        folder = self._cache.find(checked_name(name))
        return (
            parse_manifest(self._manifest(name)) if folder is None else read_manifest(folder / FILE)
        )

    def fetch(self, name: str) -> Path:
        """See `ReleaseStore.fetch`; a release that was fetched once needs no store any more."""
        folder = self._cache.find(checked_name(name))
        if folder is not None:
            return folder
        with self._cache.locked():
            return self._cache.find(name) or self._download(name)

    def evict(self, kept: Collection[str]) -> tuple[str, ...]:
        """See `ReleaseStore.evict`."""
        return self._cache.evict(kept)

    def add(self, folder: Path) -> Path:
        """See `ReleaseStore.add`: the manifest is the last object that is written."""
        name = checked_name(folder.name)
        if self._cache.find(name) is not None or self._remote.has(f"{name}/{FILE}"):
            raise FileExistsError(f"{self._url}/{name} exists already")
        for file in read_manifest(folder / FILE).files:
            self._remote.put(folder / file, f"{name}/{file}")
        self._remote.put(folder / FILE, f"{name}/{FILE}")
        return folder.rename(self._cache.folder / name)

    def set_current(self, name: str) -> None:
        """See `ReleaseStore.set_current`; a machine whose store is down remembers it for itself."""
        self._cache.note_current(checked_name(name))
        self._remote.write(CURRENT, f"{name}\n".encode())

    def _last_current(self, error: Unreachable) -> str:
        try:
            name = self._cache.current()
        except SetupInvalid:
            raise SetupInvalid(str(error)) from error
        log.warning("%s; going on with %s, which was current before", error, name)
        return name

    def _fetched_names(self, error: Unreachable) -> tuple[str, ...]:
        names = self._cache.names()
        if not names:
            raise SetupInvalid(str(error)) from error
        log.warning("%s; only those that were fetched are known", error)
        return names

    def _download(self, name: str) -> Path:
        content = self._manifest(name)
        manifest = parse_manifest(content)
        partial = self._cache.partial(name, manifest.files)
        wanted = {n: facts for n, facts in manifest.files.items() if not _has(partial, n, facts)}
        self._cache.check_space(sum(facts.bytes for facts in wanted.values()))
        for file, facts in wanted.items():
            self._get(name, file, facts, partial)
        (partial / FILE).write_bytes(content)
        return self._cache.complete(partial)

    def _get(self, name: str, file: str, facts: FileFacts, partial: Path) -> None:
        path = f"{name}/{file}"
        with self._fetching(name, file):
            size = self._remote.size(path)
            if size == facts.bytes:  # nothing longer than the disk was checked for is copied
                self._remote.get(path, partial / file)
        if not _has(partial, file, facts):
            (partial / file).unlink(missing_ok=True)
            raise ReleaseRefused(
                "checksum",
                f"{self._url}/{path} is not the file that was published: publish the release "
                "again under a new name",
            )

    def _manifest(self, name: str) -> bytes:
        with self._fetching(name, FILE):
            return self._remote.read(f"{name}/{FILE}", LARGEST_BYTES)

    @contextmanager
    def _fetching(self, name: str, file: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ReleaseRefused(
                "missing",
                f"{self._url}/{name}/{file} is missing: name a release of the store",
            ) from error
        except Unreachable as error:
            raise ReleaseRefused("incomplete", f"{error}; what was fetched is kept") from error


def _is_manifest(path: list[str]) -> bool:
    return len(path) == 2 and path[1] == FILE and is_release_name(path[0])  # noqa: PLR2004


def _has(folder: Path, name: str, facts: FileFacts) -> bool:
    """Whether the file is there, and every byte of it is right."""
    path = folder / name
    return (
        path.is_file()
        and path.stat().st_size == facts.bytes
        and file_facts(folder, [name])[name] == facts
    )

"""Releases that were fetched, in a local folder: complete under their name, or not there."""

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from service.errors import ReleaseRefused, SetupInvalid
from service.releases.local_store import LocalStore, flush

MIB = 2**20
SPARE_BYTES = 512 * MIB
"""Left free on the disk for everything else that writes there."""
NEWEST_KEPT = 2
"""Releases kept beside those in use, for going back further."""
LOCK_S = 900.0
LOCK_POLL_S = 0.2
PARTIAL, EVICTED, LOCK = ".partial-", ".evicted-", ".lock"


class ReleaseCache:
    """The local copies of the releases of one remote store.

    A release is collected under another name and renamed when it is complete and on disk, and
    renamed again before it is removed: under its own name it is always whole. One process at a
    time fetches or evicts; a kill frees the lock, and what was fetched by then is not lost.
    """

    def __init__(self, cache: Path, url: str) -> None:
        self.folder = cache / hashlib.sha256(url.encode()).hexdigest()[:12]
        self._local = LocalStore(self.folder)

    def find(self, name: str) -> Path | None:
        """The folder of a release, if all of it is here."""
        folder = self.folder / name
        return folder if folder.is_dir() else None

    def names(self) -> tuple[str, ...]:
        """The releases that are here, oldest first."""
        return self._local.names()

    @contextlib.contextmanager
    def locked(self, wait_s: float = LOCK_S) -> Iterator[None]:
        """Waits until no other process fetches or evicts here.

        Raises:
            ReleaseRefused: "incomplete", when it never ends.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("wb") as file:
            ends_s = time.monotonic() + wait_s
            while not _lock(file.fileno()):
                if time.monotonic() > ends_s:
                    raise ReleaseRefused(
                        "incomplete",
                        f"another process has been fetching into {self.folder} for "
                        f"{wait_s:.0f} s: end it",
                    )
                time.sleep(LOCK_POLL_S)
            yield

    def partial(self, name: str, files: Collection[str]) -> Path:
        """The folder in which these files of a release are collected; others in it go."""
        folder = self.folder / f"{PARTIAL}{name}"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path.name not in files:
                path.unlink()
        return folder

    def check_space(self, n_bytes: int) -> None:
        """Refuses what would fill the disk.

        Raises:
            ReleaseRefused: "disk".
        """
        free = shutil.disk_usage(self.folder).free
        if free < n_bytes + SPARE_BYTES:
            raise ReleaseRefused(
                "disk",
                f"fetching needs {n_bytes / MIB:.0f} MiB and {SPARE_BYTES / MIB:.0f} MiB to spare, "
                f"{self.folder} has {free / MIB:.0f} MiB free: make room there",
            )

    def complete(self, partial: Path) -> Path:
        """Gives a collected release its name, when every byte of it is on disk."""
        folder = self.folder / partial.name.removeprefix(PARTIAL)
        for path in partial.iterdir():
            flush(path)
        flush(partial)
        partial.rename(folder)
        flush(self.folder)
        return folder

    def evict(self, kept: Collection[str]) -> tuple[str, ...]:
        """Removes all but the releases named and the newest few; returns what went.

        Nothing goes while another process fetches; the next time will do.
        """
        names: list[str] = []
        with contextlib.suppress(ReleaseRefused, OSError), self.locked(wait_s=0.0):
            names = [name for name in self.names()[:-NEWEST_KEPT] if name not in kept]
            for name in names:
                (self.folder / name).rename(self.folder / f"{EVICTED}{name}")
            for path in [*self.folder.glob(f"{EVICTED}*"), *self.folder.glob(f"{PARTIAL}*")]:
                shutil.rmtree(path, ignore_errors=True)
        return tuple(names)

    def current(self) -> str:
        """What the store called current when it last answered.

        Raises:
            SetupInvalid: it never has.
        """
        return self._local.current()

    def note_current(self, name: str) -> None:
        """Remembers what the store calls current; a full disk only makes that older."""
        with contextlib.suppress(SetupInvalid):
            if self.current() == name:
                return
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._local.set_current(name)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

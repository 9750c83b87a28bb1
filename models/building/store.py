"""Puts releases into a store: a kill at any moment leaves the old or the new one current."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from models.building.draft import Draft
from models.errors import PublishInvalid
from service.errors import ReleaseRefused, SetupInvalid
from service.releases.files import file_facts
from service.releases.gate import FORCED, Verdict, compare
from service.releases.loader import load_release
from service.releases.local_store import UNFINISHED, flush
from service.releases.manifest import FILE, Manifest, is_release_name
from service.releases.store import ReleaseStore, open_store

CACHE = Path("var/releases")
"""Where releases of a store by URL lie on this machine."""
FORCE = "make the release current although it is worse than the last one; say why"
NOT_CURRENT = 3
"""Exit code of a release that was published and not made current."""


@dataclass(frozen=True, slots=True)
class Published:
    """A release that is in its store.

    Attributes:
        folder: where it lies on this machine.
        verdict: of the promotion gate, against the release that was current before.
        is_current: whether it is current now: not when the gate objected and nobody forced it.
    """

    folder: Path
    verdict: Verdict
    is_current: bool

    @property
    def exit_code(self) -> int:
        return 0 if self.is_current else NOT_CURRENT


def release_name(now: datetime | None = None) -> str:
    """A name that sorts by time, such as 20260131-120000."""
    return (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")


def publish(draft: Draft, store: str | Path, force: str = "") -> Published:
    """Write a release, prove that it loads, and make it current if it is as good as the last one.

    The folder is written under another name, flushed to disk, and loaded as the service would;
    only then the store takes it over, and only then CURRENT is replaced.

    Args:
        draft: what to publish.
        store: a folder or a URL.
        force: why it becomes current although the promotion gate objects; the manifest keeps it.

    Raises:
        PublishInvalid: a bad or taken name, a store that cannot be written, a release that the
            service would refuse (nothing of it stays).
    """
    name = draft.manifest.release
    if not is_release_name(name):
        raise PublishInvalid(f"{name!r} is no release name: use a-z, 0-9, dots and hyphens")
    its = open_store(str(store), CACHE)
    try:
        if name in its.names():
            raise FileExistsError(name)
        verdict = _judge(draft.manifest, its)
        is_current = bool(force) or not verdict.objections
        if force and verdict.objections:
            data = {**draft.manifest.data, FORCED: force}
            draft = replace(draft, manifest=replace(draft.manifest, data=data))
        with _unfinished(its.workbench) as bench:
            folder = its.add(_write(draft, bench / name))
        if is_current:
            its.set_current(name)
        return Published(folder, verdict, is_current)
    except FileExistsError as error:
        raise PublishInvalid(
            f"{store} has a release {name} already: releases are never changed, use a new name"
        ) from error
    except OSError as error:
        raise PublishInvalid(f"{store} cannot be written: {error.strerror or error}") from error


def set_current(store: str | Path, name: str) -> None:
    """Name the release that should be live, whatever the gate says."""
    open_store(str(store), CACHE).set_current(name)


def current_folder(store: str | Path) -> Path:
    """The current release of a store, on this machine.

    Raises:
        SetupInvalid: no such store, or nothing is current.
        ReleaseRefused: it cannot be fetched.
    """
    its = open_store(str(store), CACHE)
    return its.fetch(its.current())


def _judge(manifest: Manifest, store: ReleaseStore) -> Verdict:
    """The gate, against the release that is current; where there is none, nothing is worse."""
    try:
        return compare(manifest, store.manifest(store.current()))
    except (SetupInvalid, ReleaseRefused):
        return Verdict()


def _write(draft: Draft, folder: Path) -> Path:
    """All files, the manifest last, on disk and proved."""
    folder.mkdir()
    names = draft.write(folder)
    manifest = replace(draft.manifest, files=file_facts(folder, names))
    (folder / FILE).write_text(manifest.as_json(), encoding="utf-8")
    for path in (*folder.iterdir(), folder):
        flush(path)
    try:
        load_release(folder)
    except ReleaseRefused as error:
        raise PublishInvalid(f"the new release would be refused: {error}") from error
    return folder


@contextmanager
def _unfinished(bench: Path) -> Iterator[Path]:
    """A folder for what is not finished; what is left in it goes at the end."""
    bench.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(bench)
    folder = bench / f"{UNFINISHED}{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unfinished(bench: Path) -> None:
    """Clear what a killed run left behind; another one that still works is left alone."""
    for path in bench.glob(f"{UNFINISHED}*"):
        pid = path.name.removeprefix(UNFINISHED).split("-")[0]
        if pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

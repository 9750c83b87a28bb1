"""Puts releases into a store: a kill at any moment leaves the old or the new one live."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from models.building.draft import Draft
from models.errors import PublishInvalid
from service.errors import ReleaseRefused
from service.releases.files import file_facts
from service.releases.loader import load_release
from service.releases.manager import CURRENT
from service.releases.manifest import FILE, is_release_name

UNFINISHED = ".unfinished-"


def release_name(now: datetime | None = None) -> str:
    """A name that sorts by time, such as 20260131-120000."""
    return (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")


def publish(draft: Draft, store: Path) -> Path:
    """Write a release, prove that it loads, and make it the current one.

    The folder is written under another name, flushed to disk and renamed when complete; the
    release is then loaded as the service would; only then CURRENT is replaced.

    Returns:
        The folder of the release.

    Raises:
        PublishInvalid: a bad or taken name, a store that cannot be written, a release that the
            service would refuse (it is removed again).
    """
    name = draft.manifest.release
    folder = store / name
    if not is_release_name(name):
        raise PublishInvalid(f"{name!r} is no release name: use a-z, 0-9, dots and hyphens")
    if folder.exists():
        raise PublishInvalid(f"{folder} exists already: releases are never changed, use a new name")
    try:
        store.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(store)
        _write(draft, store, folder)
        _prove(folder)
        set_current(store, name)
    except OSError as error:
        raise PublishInvalid(f"{store} cannot be written: {error.strerror or error}") from error
    return folder


def set_current(store: Path, name: str) -> None:
    """Name the live release, atomically."""
    partial = store / f"{UNFINISHED}{os.getpid()}-{CURRENT}"
    partial.write_text(f"{name}\n", encoding="utf-8")
    _flush(partial)
    partial.replace(store / CURRENT)
    _flush(store)


def _write(draft: Draft, store: Path, folder: Path) -> None:
    unfinished = store / f"{UNFINISHED}{os.getpid()}-{folder.name}"
    unfinished.mkdir()
    try:
        names = draft.write(unfinished)
        manifest = replace(draft.manifest, files=file_facts(unfinished, names))
        for name in names:
            _flush(unfinished / name)
        (unfinished / FILE).write_text(manifest.as_json(), encoding="utf-8")
        _flush(unfinished / FILE)
        _flush(unfinished)
        unfinished.rename(folder)
        _flush(store)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _prove(folder: Path) -> None:
    try:
        load_release(folder)
    except ReleaseRefused as error:
        shutil.rmtree(folder)
        raise PublishInvalid(f"the new release would be refused: {error}") from error


def _remove_unfinished(store: Path) -> None:
    """Clear what a killed run left behind; another one that still works is left alone."""
    for path in store.glob(f"{UNFINISHED}*"):
        pid = path.name.removeprefix(UNFINISHED).split("-")[0]
        if pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

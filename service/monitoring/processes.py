"""Metrics of a service of several processes: the folder they share, and its supervisor's own."""

import contextlib
import hashlib
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

from service.monitoring.cells import is_owned, open_cells
from service.monitoring.declarations import LAYOUT
from service.monitoring.families import Families
from service.monitoring.process_metrics import ProcessMetrics
from service.monitoring.release_metrics import TARGETS, SwapMetrics
from service.monitoring.resources import free_bytes

log = logging.getLogger(__name__)

MEMORY_DISK = Path("/dev/shm")
FOLDER = "metrics"
"""Within the folder where the processes of a service meet."""
PROCESSES_EXPECTED = 256
"""Room is wanted for this many processes; one takes some 50 KB."""
ROOM_BYTES = PROCESSES_EXPECTED * LAYOUT.shape.n_bytes
ABANDONED_S = 60.0
"""A folder that is younger may be that of a service which is just starting."""


def prepare(run: Path) -> Path:
    """Makes the empty folder `run`/metrics, in which all processes of a service count.

    It is a link into memory if there is room: a disk would be written to all the time. Called
    once by the supervisor, before it starts any process; `Metrics` and `SupervisorMetrics` take
    the folder.
    """
    folder = run / FOLDER
    _remove_abandoned()
    name = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:12]
    _remove(folder)
    try:
        in_memory = MEMORY_DISK / f"sightline-{os.geteuid()}-{name}"
        _remove(in_memory)
        if (free_bytes(MEMORY_DISK) or 0) > ROOM_BYTES:
            in_memory.mkdir(mode=0o700)
            folder.symlink_to(in_memory)
            return folder
    except OSError as error:
        log.warning("metrics are kept in %s: %s", folder, error)
    folder.mkdir(mode=0o700)
    return folder


def remove(run: Path) -> None:
    """Removes what `prepare` made; called by the supervisor last."""
    with contextlib.suppress(OSError):
        in_memory = (run / FOLDER).resolve()
        _remove(run / FOLDER)
        _remove(in_memory)


class SupervisorMetrics(SwapMetrics):
    """What the supervisor counts; shown by whichever worker is scraped."""

    def __init__(self, folder: Path | None = None) -> None:
        cells = open_cells(folder, LAYOUT.shape)
        families = Families(LAYOUT, cells)
        super().__init__(families)
        self._info = families.open_gauge("retrieval_release_info")
        self._quality = families.gauges("retrieval_release_eval_ratio")
        self._live: tuple[tuple[str, str], Mapping[str, float]] | None = None
        self.process = ProcessMetrics(families)
        """`look(mounts)` every few seconds; mounts: releases, metrics, state."""

    def live(self, name: str, embedding_version: str, ndcg_10: Mapping[str, float]) -> None:
        """Another release is live; the one before stays visible with 0.

        Args:
            name: of the release.
            embedding_version: of the release.
            ndcg_10: NDCG@10 over everybody by target, as far as its manifest knows it.
        """
        live = (name, embedding_version)
        if self._live is not None and self._live[0] != live:
            self._info.set(self._live[0], 0.0)
            self._evaluated("previous", self._live[1])
        self._evaluated("current", ndcg_10)
        self._live = (live, ndcg_10)

    def _evaluated(self, slot: str, ndcg_10: Mapping[str, float]) -> None:
        for target in TARGETS:
            self._quality[("ndcg_10", target, slot)].set(ndcg_10.get(target, math.nan))


def _remove_abandoned() -> None:
    """Frees the memory of services that were killed and never started again."""
    for folder in MEMORY_DISK.glob(f"sightline-{os.geteuid()}-*"):
        with contextlib.suppress(OSError):  # somebody else does the same
            is_old = time.time() - folder.stat().st_mtime > ABANDONED_S
            if is_old and not any(map(is_owned, folder.iterdir())):
                _remove(folder)


def _remove(folder: Path) -> None:
    """Removes a folder of numbers or a link to one; it may be absent."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

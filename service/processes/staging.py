"""Brings a release from its name to processes that are ready to answer."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from service.errors import ReleaseRefused
from service.monitoring.processes import SupervisorMetrics
from service.processes.control import Message
from service.processes.family import Family
from service.processes.memory import check_memory
from service.processes.nursery import Nursery
from service.processes.priority import cores
from service.releases.store import ReleaseStore
from service.settings.processes import Processes

log = logging.getLogger(__name__)


class Stager:
    """Fetches, checks, loads and staffs; whatever fails is undone, and nobody else notices."""

    def __init__(
        self,
        settings: Processes,
        nursery: Nursery,
        store: ReleaseStore,
        metrics: SupervisorMetrics,
    ) -> None:
        self._settings = settings
        self._nursery = nursery
        self._store = store
        self._metrics = metrics
        self._proved: dict[str, Message] = {}
        self.n_workers = cores() if settings.workers is None else settings.workers

    async def ready(self, name: str, is_beside: bool, is_urgent: bool = False) -> Family:
        """A family whose workers are warm and wait for connections.

        Args:
            name: of the release.
            is_beside: whether another release answers meanwhile.
            is_urgent: whether that one does not go first.

        Raises:
            ReleaseRefused: it is not there, does not fit, is wrong, or kills its host.
        """
        with self.phase("fetch"):
            folder = await asyncio.to_thread(self._store.fetch, name)
            if is_beside:
                await asyncio.to_thread(self._check_room, name, self._nursery.pids)
        family = self._nursery.start(name, is_quiet=is_beside and not is_urgent)
        try:
            await self._load(family, folder)
            family.hurry()  # workers that are kept waiting would take Redis for slow
            await self.staff(family)
        except BaseException:
            family.kill()
            await family.gone()
            raise
        self._proved[name] = family.told["proved"]
        return family

    async def keep_spare(self) -> None:
        """Has a spare host wait for the next release, if it is wanted and there is room for it."""
        spare = self._nursery.spare
        if not self._settings.spare_host or not spare.is_missed:
            return
        try:
            await asyncio.to_thread(self._check_memory, 0, self._nursery.pids)
            spare.start(self._settings.idle_load_s)
        except (ReleaseRefused, OSError) as error:
            log.debug("no spare host is started for %.1f s: %s", spare.put_off(), error)

    async def staff(self, family: Family) -> None:
        """Gives a loaded family its workers.

        Raises:
            ReleaseRefused: they do not start.
        """
        with self.phase("warm"):
            await family.staff(self.n_workers, self._settings.load_timeout_s)

    async def _load(self, family: Family, folder: Path) -> None:
        """A proof is used up: when this load fails, the next one proves all again."""
        settings, proved = self._settings, self._proved.pop(family.release, None)
        hurry = asyncio.get_running_loop().call_later(settings.idle_load_s, family.hurry)
        try:
            with self.phase("load"):
                await self._nursery.load(family, folder, proved, settings.load_timeout_s)
        finally:
            hurry.cancel()

    def _check_room(self, name: str, processes: list[int]) -> None:
        n_bytes = sum(facts.bytes for facts in self._store.manifest(name).files.values())
        self._check_memory(n_bytes, processes)

    def _check_memory(self, n_bytes: int, processes: list[int]) -> None:
        check_memory(n_bytes, [os.getpid(), *processes], self._settings.memory_mb)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measures a phase of a switch that is not refused meanwhile."""
        began_s = time.monotonic()
        yield
        self._metrics.phase(name, time.monotonic() - began_s)

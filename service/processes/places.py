"""The places of families: which one is live, which one stands by, and how they change places."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine

from service.errors import ReleaseRefused
from service.processes.family import Family
from service.processes.nursery import Nursery
from service.processes.orders import QUIT, RETIRE
from service.processes.staging import Stager
from service.settings.processes import Processes

SHUT_TIMEOUT_S = 2.0
KILL_AFTER_S = 2.0
"""What has not left so long after its limit is killed."""

log = logging.getLogger(__name__)


class Places:
    """At most one family in each place; whoever has none is leaving.

    Attributes:
        live: its workers take connections.
        staged: its workers are ready to.
        warm: it was live before; its host is kept for a fast rollback, its workers are gone.
    """

    def __init__(
        self, settings: Processes, keeps_warm: bool, nursery: Nursery, stager: Stager
    ) -> None:
        self.live: Family | None = None
        self.staged: Family | None = None
        self.warm: Family | None = None
        self._settings = settings
        self._keeps_warm = keeps_warm
        self._nursery = nursery
        self._stager = stager
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def n_wanted(self) -> int:
        """Workers that the live family should have."""
        return self._stager.n_workers

    @property
    def n_leaving(self) -> int:
        """Workers that answer what they have begun, and end."""
        families = self._nursery.families.values()
        return sum(worker.is_leaving for one in families for worker in one.workers.values())

    async def stage(self, name: str) -> Family:
        """Has a new family stand by; the one that did leaves.

        Raises:
            ReleaseRefused: see `Stager.ready`; nothing has changed then.
        """
        family = await self._new(name)
        if self.staged is not None:
            self.staged.leave(QUIT)
        self.staged = family
        return family

    async def switch(self, name: str, is_new: bool = False, is_urgent: bool = False) -> Family:
        """Has a family take over, the one that stands by if it is of this release.

        Args:
            name: of the release.
            is_new: whether it has to be a new family.
            is_urgent: whether it is loaded as fast as it can be, whoever answers meanwhile.

        Raises:
            ReleaseRefused: see `Stager.ready`; the live one goes on.
        """
        kept = None if is_new else await self._kept(name)
        family = kept or await self._new(name, is_urgent)
        try:
            with self._stager.phase("flip"):
                await family.open()
        except ReleaseRefused:
            family.leave(QUIT)
            raise
        former, self.live = self.live, family
        self.drop(family)
        if former is not None:
            await self._retire(former)
        return family

    async def keep_spare(self) -> None:
        """See `Stager.keep_spare`."""
        await self._stager.keep_spare()

    def drop_spare(self) -> None:
        """See `Spare.drop`."""
        self._nursery.spare.drop()

    def drop(self, family: Family) -> None:
        """A family stands by no more."""
        self.staged = None if self.staged is family else self.staged
        self.warm = None if self.warm is family else self.warm

    async def stop(self, order: str) -> None:
        """Has everybody leave as the order says; returns when nobody is left."""
        times, families = self._settings, list(self._nursery.families.values())
        self.drop_spare()
        for family in families:
            family.leave(order if family.is_open else QUIT)
            if not family.told:
                family.kill()
        gone = asyncio.gather(*(family.gone() for family in families))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone, times.linger_s + times.drain_s + KILL_AFTER_S)
        for family in families:
            family.kill()

    async def _new(self, name: str, is_urgent: bool = False) -> Family:
        """A new family, once those that leave are gone, so that no third one is in memory."""
        ending = [family for family in self._nursery.families.values() if family.is_ending]
        await asyncio.gather(*(family.gone() for family in ending))
        is_beside = self.live is not None and self.live.n_ready > 0
        return await self._stager.ready(name, is_beside, is_urgent)

    async def _kept(self, name: str) -> Family | None:
        """One that stands by; or whose host is still there, such as after a short while of live."""
        if self.staged is not None and self.staged.release == name:
            return self.staged
        for family in list(self._nursery.families.values()):  # some may end meanwhile
            if family.release == name and family.told and not family.is_over:
                with contextlib.suppress(ReleaseRefused):  # it has ended just now
                    await self._stager.staff(family)
                    return family
        return None

    async def _retire(self, former: Family) -> None:
        """Has it leave; returns as soon as new callers can only meet its successor."""
        is_kept = self._keeps_warm and former.has_host
        if is_kept and self.warm is not None:
            self.warm.leave(QUIT)
        self.warm = former if is_kept else self.warm
        former.leave(RETIRE, keeps_host=is_kept)
        self._run(self._left(former))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(former.shut(), SHUT_TIMEOUT_S)

    async def _left(self, former: Family) -> None:
        try:
            with self._stager.phase("drain"):
                await asyncio.wait_for(former.left(), self._settings.drain_s + KILL_AFTER_S)
        except TimeoutError:
            log.error("workers of %s did not leave; they are killed", former.release)
            former.kill_late()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

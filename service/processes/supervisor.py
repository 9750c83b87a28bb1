"""The supervisor: does what operators ask of releases, and what has to be done without them.

One thing at a time: whoever asks for a second is told that it is busy. A start is waited for: a
script that saw the service ready may ask for a change at once.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator

from service.domain.releases import ReleasesOverview, ReleaseStatus
from service.errors import Busy, ReleaseRefused, ServiceError, SetupInvalid
from service.monitoring.processes import SupervisorMetrics
from service.processes.backoff import Backoff
from service.processes.control import Message, encode_overview, encode_status
from service.processes.family import Family
from service.processes.orders import QUIT
from service.processes.places import Places
from service.processes.register import Register, Wish
from service.releases.gate import check_promotion
from service.releases.store import ReleaseStore

MAY_PASS = frozenset({"missing", "incomplete", "memory", "disk"})
"""Refusals of a release that may be fine at the next look."""

log = logging.getLogger(__name__)


class Supervisor:
    """`service.ports.admin.ReleaseAdmin` for all processes of a service."""

    def __init__(
        self,
        pin: str | None,
        store: ReleaseStore,
        places: Places,
        register: Register,
        metrics: SupervisorMetrics,
    ) -> None:
        """`pin` is the release to serve whatever CURRENT says."""
        self._pin = pin
        self._store = store
        self._places = places
        self._register = register
        self._metrics = metrics
        self._doing: Wish | None = None
        self._is_done = asyncio.Condition()
        self._is_stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    # what operators ask

    async def overview(self) -> ReleasesOverview:
        return self._register.overview()

    async def load(self, name: str, by: str) -> ReleaseStatus:
        await self._started()
        async with self._alone(Wish("load", name, by)) as wish:
            staged = self._places.staged
            if name != self._live and (staged is None or staged.release != name):
                self._register.loading(wish)
                self._register.staged(wish, (await self._places.stage(name)).told["facts"])
            return self._register.status(name)

    async def activate(self, name: str, by: str, force: str = "") -> ReleaseStatus:
        await self._started()
        async with self._alone(Wish("activate", name, by, force)) as wish:
            if name != self._live:
                await self._check_promotion(wish)
                await self._switch(wish)
                await self._point(name)
            return self._register.status(name)

    async def rollback(self, by: str) -> ReleaseStatus:
        await self._started()
        former = self._register.live_before(self._live)
        async with self._alone(Wish("rollback", former or "", by)) as wish:
            if former is None:
                raise ReleaseRefused("missing", "no release was live before this one: activate one")
            await self._switch(wish, is_urgent=True)
            await self._point(former)
            return self._register.status(former)

    async def answer(self, request: Message) -> Message:
        """What is asked over the control socket."""
        match request:
            case {"do": "overview"}:
                return encode_overview(await self.overview())
            case {"do": "load", "name": str(name), "by": str(by)}:
                return encode_status(await self.load(name, by))
            case {"do": "activate", "name": str(name), "by": str(by), "force": str(force)}:
                return encode_status(await self.activate(name, by, force))
            case {"do": "rollback", "by": str(by)}:
                return encode_status(await self.rollback(by))
        raise ServiceError("the supervisor is asked for something that it does not know")

    # what happens without anybody asking

    async def start(self) -> Family:
        """Makes the wanted release live, or the one before it when that one is refused.

        Raises:
            SetupInvalid: no store, or no CURRENT.
            ReleaseRefused: there is nothing to fall back to.
        """
        name = await self._wanted()
        try:
            async with self._alone(Wish("start", name, "start")) as wish:
                return await self._switch(wish)
        except ReleaseRefused as error:
            former = await self._former(name)
            if former is None:
                raise
            log.error("%s is refused (%s); %s was live before it and is again", name, error, former)
        async with self._alone(Wish("start", former, "fallback")) as wish:
            return await self._switch(wish)

    async def reload(self) -> None:
        """Replaces all processes; by those of CURRENT, unless another release is pinned."""
        try:
            name = await self._wanted()
            await self._started()
            async with self._alone(Wish("reload", name, "signal")) as wish:
                self._places.drop_spare()  # it has imported what may have been replaced
                await self._switch(wish, is_new=True)
        except ServiceError as error:
            log.error("nothing is reloaded: %s", error)

    async def follow(self, every_s: float) -> None:
        """Makes live what CURRENT names whenever that changes; until cancelled."""
        seen = self._live
        while True:
            await asyncio.sleep(every_s * random.uniform(0.8, 1.2))
            with contextlib.suppress(Busy):
                seen = await self._follow(seen)

    async def keep_spare(self) -> None:
        """Has a host stand by for the next release, while nothing else is done."""
        if self._doing is None:
            await self._places.keep_spare()

    def lost(self, family: Family) -> None:
        """A host has ended: whatever its workers still do, they will not be replaced."""
        if self._is_stopping:
            return
        if family is self._places.live:
            log.error("the host of the live release has ended; another one is started")
            task = asyncio.create_task(self._recover(family))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif family is self._places.staged:
            log.error("the host of the staged release %s has ended", family.release)
            self._register.forget(family.release)
            family.leave(QUIT)
        self._places.drop(family)

    async def stop(self, order: str) -> None:
        """Has all processes leave; returns when none is left."""
        self._is_stopping = True
        await self._places.stop(order)

    def look(self) -> None:
        """Counts the workers."""
        places = self._places
        ready = places.live.n_ready if places.live else 0
        self._metrics.workers(places.n_wanted, ready, places.n_leaving)

    # how

    @property
    def _live(self) -> str | None:
        return self._places.live.release if self._places.live else None

    async def _wanted(self) -> str:
        if self._pin is not None:
            return self._pin
        return await asyncio.to_thread(self._store.current)

    async def _former(self, name: str) -> str | None:
        """The release that was live before another, as far as anybody may choose."""
        former = self._register.live_before(name) if self._pin is None else None
        return former if former in await asyncio.to_thread(self._store.names) else None

    async def _started(self) -> None:
        """Returns when no release is being started."""
        async with self._is_done:
            await self._is_done.wait_for(lambda: not self._doing or self._doing.action != "start")

    @contextlib.asynccontextmanager
    async def _alone(self, wish: Wish) -> AsyncIterator[Wish]:
        """Nothing else is done meanwhile; a refusal is written down."""
        if self._doing is not None:
            raise Busy(f"busy with {self._doing.action} of {self._doing.release}: ask again later")
        self._doing = wish
        try:
            yield wish
        except ReleaseRefused as error:
            if self._live is not None:
                log.warning("%s of %s is refused: %s", wish.action, wish.release, error)
            self._register.refused(wish, error, self._live)
            self._metrics.swapped("rejected", error.reason)
            raise
        finally:
            self._doing = None
            async with self._is_done:
                self._is_done.notify_all()

    async def _switch(self, wish: Wish, is_new: bool = False, is_urgent: bool = False) -> Family:
        former = self._live
        family = await self._places.switch(wish.release, is_new, is_urgent)
        self._metrics.swapped("rolled_back" if wish.action == "rollback" else "ok")
        facts = family.told["facts"]
        self._metrics.live(wish.release, facts["embedding_version"], family.told["ndcg_10"])
        self._register.live(wish, facts, former)
        staged = self._places.staged
        kept = {wish.release, former or "", staged.release if staged else ""}
        await asyncio.to_thread(self._store.evict, kept)
        if former is not None:
            log.warning("%s is live (%s), it was %s before", wish.release, wish.by, former)
        return family

    async def _follow(self, seen: str | None) -> str | None:
        """What CURRENT named at this look, if it need not be looked at again."""
        try:
            current = await self._wanted()
        except SetupInvalid as error:
            log.warning("CURRENT is not followed now: %s", error)
            return seen
        try:
            if current not in (seen, self._live):
                async with self._alone(Wish("follow", current, "CURRENT")) as wish:
                    await self._switch(wish)
        except ReleaseRefused as error:
            return seen if error.reason in MAY_PASS else current
        return current

    async def _recover(self, broken: Family) -> None:
        """Starts the live release again until that works; its orphans answer meanwhile."""
        pauses = Backoff()
        while self._places.live is broken:
            await asyncio.sleep(pauses.wait_s(time.monotonic()))
            with contextlib.suppress(ReleaseRefused, Busy):
                async with self._alone(Wish("start", broken.release, "crash")) as wish:
                    await self._switch(wish, is_new=True, is_urgent=True)
            pauses.ended(0.0, time.monotonic())

    async def _check_promotion(self, wish: Wish) -> None:
        if self._live is None or wish.force:
            return
        new = await asyncio.to_thread(self._store.manifest, wish.release)
        check_promotion(new, await asyncio.to_thread(self._store.manifest, self._live))

    async def _point(self, name: str) -> None:
        """Has CURRENT name the live release; a pinned replica speaks only for itself."""
        if self._pin is not None:
            return
        try:
            await asyncio.to_thread(self._store.set_current, name)
        except OSError as error:
            log.error("%s is live, but CURRENT cannot be written: %s", name, error)

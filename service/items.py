"""The write path of items, and how every process learns what the others were told."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from service.domain.items import ItemChanges, ItemOutcome, ItemUpdate
from service.errors import NotReady, StoreUnavailable
from service.ports.serving import Clock, Release, Releases
from service.ports.stores import ItemStore

POLL_S = 0.25
"""How often the log is looked at: a quarter of what is promised."""
APPLIED_AT_ONCE = 32
"""Lists are made in between; so many new items keep the item tower busy for 8 ms."""


class ItemMetrics(Protocol):
    """What is counted of item updates."""

    def item_updates(self, outcomes: Sequence[ItemOutcome]) -> None:
        """These were applied, or not, to the live release."""
        ...

    def item_lag(self, lag_s: float) -> None:
        """Time from the writing of an update to its being applied here."""
        ...

    def items_unreadable(self, n: int) -> None:
        """Fields of foreign writers that nobody understands."""
        ...

    def items_arrived(self, n_served: int, n_without_vector: int) -> None:
        """Items on top of the live release, and those that wait for a vector."""
        ...


class Items:
    """Applies updates to the live release: those of this process at once, all others as they come.

    A release that has just become live is told everything.
    """

    def __init__(
        self, store: ItemStore, releases: Releases, clock: Clock, metrics: ItemMetrics
    ) -> None:
        self._store, self._releases = store, releases
        self._clock, self._metrics = clock, metrics
        self._position = ""
        self._told: Release | None = None

    async def update(self, updates: Sequence[ItemUpdate]) -> None:
        """Takes over what is said of items: here at once, elsewhere within a second.

        Raises:
            StoreUnavailable: other processes, and this one after a restart, do not know it yet.
        """
        with contextlib.suppress(NotReady):  # it is kept for the next release
            await self._apply(self._releases.live, updates)  # also when the store is down
        await self._store.write(updates)

    async def catch_up(self) -> None:
        """Applies what others said since the last call.

        Raises:
            NotReady: no release is live.
            StoreUnavailable: not readable now; the next call goes on from where this one was.
        """
        live = self._releases.live
        has_more = True
        while has_more:
            changes = await self._read(live)
            await self._apply(live, changes.updates)
            self._count(changes)
            self._told, self._position = live, changes.position
            has_more = changes.has_more

    async def run(self) -> None:
        """Catches up again and again, until cancelled."""
        while True:
            with contextlib.suppress(NotReady, StoreUnavailable):  # the next round may do better
                await self.catch_up()
            await asyncio.sleep(POLL_S)

    async def _read(self, live: Release) -> ItemChanges:
        if live is not self._told:
            return await self._store.read_all()
        return await self._store.read_since(self._position)

    async def _apply(self, live: Release, updates: Sequence[ItemUpdate]) -> None:
        for start in range(0, len(updates), APPLIED_AT_ONCE):
            part = updates[start : start + APPLIED_AT_ONCE]
            self._metrics.item_updates(live.updates.apply(part))
            self._metrics.items_arrived(*live.updates.arrived)
            if start + APPLIED_AT_ONCE < len(updates):
                await asyncio.sleep(0)

    def _count(self, changes: ItemChanges) -> None:
        if changes.n_unreadable:
            self._metrics.items_unreadable(changes.n_unreadable)
        now_s = self._clock()
        for moment_s in changes.moments:
            self._metrics.item_lag(now_s - moment_s)

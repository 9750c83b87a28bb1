"""What rises now: counts of recent events, older ones fading, as lists in memory."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from service.domain.actions import NEGATIVE, STRENGTH
from service.domain.arrays import NO_ROWS, Rows
from service.domain.events import Event
from service.domain.ladders import ALL, category_scope, country_scope
from service.errors import NotReady, StoreUnavailable
from service.ports.serving import Clock, Release, Releases
from service.ports.stores import TrendStore

HOUR_S = 3600
HOURS = 48
"""Older events count for nothing."""
HALF_LIFE_H = 6.0
TREND_TTL_S = (HOURS + 1) * HOUR_S
"""How long the store keeps an hour."""
FLUSH_S = 1.0
REFRESH_S = 10.0
LONGEST = 200
"""Items of one list."""
FEWEST_ITEMS = 5
"""A scope in which fewer items moved has no trend."""
COUNTRY_MARK = "\x1f"
"""Between country and item id; ids hold no control characters."""


class Trends:
    """Counts here, adds up in the store, lists by scope (`service.ports.serving.LiveTrends`)."""

    def __init__(self, store: TrendStore, releases: Releases, clock: Clock) -> None:
        self._store, self._releases, self._clock = store, releases, clock
        self._new: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._hours: dict[int, Mapping[str, float]] = {}
        self._lists: Mapping[str, Rows] = {}
        self._release: Release | None = None

    def count(self, event: Event) -> None:
        """An event that was stored; what speaks against an item, and what is old, counts not."""
        strength = STRENGTH.get(event.event_type, 0.0)
        if event.event_type in NEGATIVE or not strength:
            return
        hour = int(event.at_s // HOUR_S)
        if hour <= self._hour() - HOURS:
            return
        self._new[hour][event.item_id] += strength  # type: ignore[assignment]
        if event.country:
            self._new[hour][f"{event.country}{COUNTRY_MARK}{event.item_id}"] += strength  # type: ignore[assignment]

    def rows_in(self, scope: str, release: Release) -> Rows:
        """Catalogue rows that rise in a scope, best first; none of a release not yet looked at."""
        return self._lists.get(scope, NO_ROWS) if release is self._release else NO_ROWS

    async def run(self) -> None:
        """Adds what was counted and looks at what others counted, until cancelled."""
        rounds = 0
        while True:
            with contextlib.suppress(StoreUnavailable, NotReady):  # the next round may do better
                if rounds % int(REFRESH_S / FLUSH_S) == 0:
                    await self.refresh()
                await self.flush()
            rounds += 1
            await asyncio.sleep(FLUSH_S)

    async def flush(self) -> None:
        """Adds what was counted here; what could not be added is lost: it is a tendency.

        Raises:
            StoreUnavailable: some of it was not counted.
        """
        new, self._new = self._new, defaultdict(Counter)
        for hour, weights in new.items():
            await self._store.add(hour, weights)

    async def refresh(self) -> None:
        """Makes the lists anew, beside the event loop; hours that are over are read once.

        Raises:
            StoreUnavailable: the counts cannot be read; the lists stay as they are.
            NotReady: no release is live.
        """
        now, release = self._hour(), self._releases.live
        for hour in range(now - HOURS + 1, now + 1):
            if hour not in self._hours or hour >= now - 1:
                self._hours[hour] = await self._store.read(hour)
        self._hours = {hour: its for hour, its in self._hours.items() if hour > now - HOURS}
        hours = dict(self._hours)
        self._lists = await asyncio.to_thread(lambda: _lists(self._weights(hours), release))
        self._release = release

    def _weights(self, hours: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
        now_h = self._clock() / HOUR_S
        total: dict[str, float] = {}
        for hour, weights in hours.items():
            fade = 0.5 ** (max(0.0, now_h - hour - 0.5) / HALF_LIFE_H)
            for name, weight in weights.items():
                total[name] = total.get(name, 0.0) + fade * weight
        return total

    def _hour(self) -> int:
        return int(self._clock() // HOUR_S)


def _lists(weights: Mapping[str, float], release: Release) -> dict[str, Rows]:
    """Lists by scope, of the items that the release knows."""
    catalogue = release.catalogue
    scopes: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for name, weight in weights.items():
        country, _, item_id = name.rpartition(COUNTRY_MARK)
        row = catalogue.row_of(item_id)
        if row < 0:
            continue
        if country:
            scopes[country_scope(country)].append((-weight, row))
            continue
        scopes[ALL].append((-weight, row))
        scopes[category_scope(catalogue.category_names[catalogue.categories[row]])].append(
            (-weight, row)
        )
    return {
        scope: np.array([row for _, row in sorted(found)[:LONGEST]], dtype=np.int64)
        for scope, found in scopes.items()
        if len(found) >= FEWEST_ITEMS
    }

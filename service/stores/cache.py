"""Shares the reads of people who are asked for very often, for a fraction of a second."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.domain.events import Event, EventOutcome
from service.domain.sessions import Session
from service.errors import StoreUnavailable
from service.ports.stores import SessionStore

HOT_READS = 4
"""Read more often than this within `WINDOW_S`, somebody is hot; nobody clicks that fast."""
WINDOW_S = 1.0
PATIENCE_S = 1.0
"""For a shared read, whose first caller may be in a hurry; the store has limits of its own."""

People = tuple[str, ...]
Sessions = Mapping[str, Session]


@dataclass(frozen=True, slots=True)
class Shared:
    """One read, under way or done, that several callers use; `began_s` on the cache's clock."""

    read: "asyncio.Task[Sessions]"
    began_s: float


class CachedSessions:
    """`service.ports.stores.SessionStore` in front of another one.

    A visitor is always read afresh, so that the very next list knows of the last event. Only who
    is asked for more than four times a second (a crawler, a health check, a campaign page) is
    read once per `cache_s`, and callers that come meanwhile wait for the same read. Their answers
    are at most `cache_s` old; events that come through this process count at once.
    """

    def __init__(
        self, store: SessionStore, cache_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._cache_s, self._clock = store, cache_s, clock
        self._shared: dict[People, Shared] = {}
        self._counts: dict[People, int] = {}
        self._hot: frozenset[People] = frozenset()
        self._window_s = clock()

    async def read(self, user: str, timeout_s: float) -> Session:
        """The session of a person.

        Raises:
            StoreUnavailable: not answered in time.
        """
        return (await self.read_all((user,), timeout_s))[user]

    async def read_all(self, users: Sequence[str], timeout_s: float) -> Sessions:
        """The sessions of several ids that are asked for together.

        Raises:
            StoreUnavailable: none was answered in time.
        """
        people, now_s = tuple(users), self._clock()
        if not self._is_hot(people, now_s):
            return await self._store.read_all(users, timeout_s)
        shared = self._shared.get(people)
        if shared is None or now_s - shared.began_s >= self._cache_s:
            shared = self._begin(people, now_s)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(shared.read)
        except TimeoutError as error:
            raise StoreUnavailable("timeout", "redis: timeout") from error

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Stores events; whoever they are about is read afresh after it.

        Raises:
            StoreUnavailable: not everything is known to be stored.
        """
        try:
            return await self._store.record(events)
        finally:
            self.drop(event.user for event in events)

    def drop(self, users: Iterable[str]) -> None:
        """These have changed: the next read of them is a new one."""
        if self._shared:
            changed = set(users)
            for people in [people for people in self._shared if not changed.isdisjoint(people)]:
                del self._shared[people]

    def _is_hot(self, people: People, now_s: float) -> bool:
        if now_s - self._window_s >= WINDOW_S:
            is_next = now_s - self._window_s < 2 * WINDOW_S
            counts = self._counts.items() if is_next else ()
            self._hot = frozenset(those for those, count in counts if count > HOT_READS)
            self._counts, self._window_s = {}, now_s
            for old in [p for p, s in self._shared.items() if now_s - s.began_s >= self._cache_s]:
                del self._shared[old]
        count = self._counts[people] = self._counts.get(people, 0) + 1
        return count > HOT_READS or people in self._hot

    def _begin(self, people: People, now_s: float) -> Shared:
        read = asyncio.create_task(self._read(people), name="shared-read")
        shared = self._shared[people] = Shared(read, now_s)

        def forget_failure(done: "asyncio.Task[Sessions]") -> None:
            is_whole = not done.cancelled() and not done.exception()
            is_whole = is_whole and len(done.result()) == len(people)
            if not is_whole and self._shared.get(people) is shared:
                del self._shared[people]

        read.add_done_callback(forget_failure)
        return shared

    async def _read(self, people: People) -> Sessions:
        return await self._store.read_all(people, PATIENCE_S)

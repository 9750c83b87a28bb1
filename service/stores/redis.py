"""Sessions in Redis: one bounded GETRANGE to read, one atomic script per person to write."""

import hashlib
from collections.abc import Sequence

from redis.exceptions import NoScriptError

from service.domain.events import Event, EventOutcome
from service.domain.sessions import EMPTY_SESSION, Session
from service.errors import StoreUnavailable
from service.ports import Clock
from service.stores.client import RedisClient
from service.stores.codec import Keep, pack_events, unpack_session
from service.stores.keys import UserKeys
from service.stores.outcomes import classify
from service.stores.scripts import RECORD

RECORD_SHA = hashlib.sha1(RECORD.encode(), usedforsecurity=False).hexdigest()
PEOPLE_PER_PIPELINE = 64
"""More would hold up the event loop, and Redis, for other requests."""

Write = tuple[bytes, ...]
"""Arguments of one call of the script: two keys, check, limits, events."""


class RedisSessions:
    """`service.ports.SessionStore` over Redis."""

    def __init__(self, client: RedisClient, keep: Keep, clock: Clock) -> None:
        self._client = client
        self._keep = keep
        self._clock = clock
        self._last_byte = keep.max_bytes - 1

    async def read(self, user: str, timeout_s: float) -> Session:
        """The session of a person; empty when unknown, and when the bytes make no sense.

        Raises:
            StoreUnavailable: not answered in time, refused, or the breaker is open.
        """
        keys = UserKeys.of(user)

        async def fetch() -> tuple[Session, str]:
            data = await self._client.reads.execute_command(  # type: ignore[no-untyped-call]
                "GETRANGE", keys.session, 0, self._last_byte
            )
            return unpack_session(data, keys.check)

        limit_s = min(timeout_s, self._client.options.read_timeout_s)
        try:
            return await self._client.run("read", limit_s, fetch)
        except StoreUnavailable as error:
            if error.outcome == "wrongtype":  # somebody else's data under our key
                return EMPTY_SESSION
            raise

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Stores events; outcomes in the order of `events`.

        Each person's events are written atomically, in order of time. Sending everything again
        after a failure is safe: what was stored is then a duplicate.

        Raises:
            StoreUnavailable: not everything is known to be stored; the message says how much is.
        """
        outcomes = [EventOutcome.DUPLICATE] * len(events)
        people = list(_by_person(events).items())
        done = 0
        for start in range(0, len(people), PEOPLE_PER_PIPELINE):
            chunk = people[start : start + PEOPLE_PER_PIPELINE]
            replies = await self._write([self._arguments(u, events, at) for u, at in chunk], done)
            for (_, positions), reply in zip(chunk, replies, strict=True):
                done += len(positions)
                marks = zip(positions, reply, strict=True)
                for position in (at for at, mark in marks if mark == ord("1")):
                    outcomes[position] = EventOutcome.STORED
        return outcomes

    def _arguments(self, user: str, events: Sequence[Event], positions: list[int]) -> Write:
        keys = UserKeys.of(user)
        limits = self._keep.pack(self._clock())
        packed = pack_events(events[position] for position in positions)
        return keys.session, keys.events, keys.check, limits, packed

    async def _write(self, writes: list[Write], done: int) -> list[bytes]:
        async def send() -> tuple[list[bytes], str]:
            replies = await self._evaluate(writes)
            missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if missing:  # a server that was restarted has forgotten the script
                await self._client.writes.script_load(RECORD)
                again = await self._evaluate([writes[i] for i in missing])
                for i, reply in zip(missing, again, strict=True):
                    replies[i] = reply
            return _all_good(replies, done), "ok"

        return await self._client.run("record", self._client.options.write_timeout_s, send)

    async def _evaluate(self, writes: list[Write]) -> list[object]:
        pipeline = self._client.writes.pipeline(transaction=False)
        for write in writes:
            pipeline.execute_command("EVALSHA", RECORD_SHA, 2, *write)
        replies: list[object] = await pipeline.execute(raise_on_error=False)
        return replies


def _by_person(events: Sequence[Event]) -> dict[str, list[int]]:
    """Positions of each person's events, in order of time."""
    people: dict[str, list[int]] = {}
    for position in sorted(range(len(events)), key=lambda i: events[i].at_s):
        people.setdefault(events[position].user, []).append(position)
    return people


def _all_good(replies: list[object], done: int) -> list[bytes]:
    for reply in replies:
        if isinstance(reply, Exception):
            stored = sum(isinstance(other, bytes) for other in replies)
            outcome = classify(reply).outcome
            raise StoreUnavailable(
                outcome, f"redis: {outcome}; {done} events and {stored} more people are stored"
            )
    return [reply for reply in replies if isinstance(reply, bytes)]

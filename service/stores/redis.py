"""Sessions in Redis: one bounded GETRANGE to read, one atomic script per person to write."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import NoScriptError

from service.domain.events import Event, EventOutcome
from service.domain.sessions import EMPTY_SESSION, Session
from service.errors import StoreUnavailable
from service.ports.serving import Clock
from service.stores.asking import AskedNode, is_ask
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.codec import Keep, pack_events, unpack_session
from service.stores.keys import UserKeys
from service.stores.outcomes import classify
from service.stores.scripts import RECORD
from service.stores.several import read_several

RECORD_SHA = hashlib.sha1(RECORD.encode(), usedforsecurity=False).hexdigest()
PEOPLE_PER_PIPELINE = 64
"""More would hold up the event loop, and Redis, for other requests."""

Write = tuple[bytes, ...]
"""Arguments of one call of the script: two keys, check, limits, events."""
TRIES_WHEN_MOVED = 2


@dataclass(frozen=True, slots=True)
class Person:
    """One person's events: their positions in the call, and the write."""

    positions: list[int]
    write: Write


class RedisSessions:
    """`service.ports.stores.SessionStore` over Redis."""

    def __init__(self, client: RedisClient | RedisCluster, keep: Keep, clock: Clock) -> None:
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

        async def fetch(node: RedisClient | AskedNode) -> tuple[Session, str]:
            data = await node.reads.execute_command("GETRANGE", keys.session, 0, self._last_byte)
            return unpack_session(data, keys.check)

        limit_s = min(timeout_s, self._client.options.read_timeout_s)
        try:
            return await self._client.run_at(keys.session, "read", limit_s, fetch, fetch)
        except StoreUnavailable as error:
            if error.outcome == "wrongtype":  # somebody else's data under our key
                return EMPTY_SESSION
            raise

    async def read_all(self, users: Sequence[str], timeout_s: float) -> Mapping[str, Session]:
        """The sessions of several ids in one round trip, without those that cannot be read.

        Raises:
            StoreUnavailable: none can.
        """
        if len(users) == 1:
            return {users[0]: await self.read(users[0], timeout_s)}
        limit_s = min(timeout_s, self._client.options.read_timeout_s)
        return await read_several(self._client, users, self._last_byte, limit_s)

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Stores events; outcomes in the order of `events`.

        Each person's events are written atomically, in order of time. Sending everything again
        after a failure is safe: what was stored is then a duplicate.

        Raises:
            StoreUnavailable: not everything is known to be stored; the message says how much is.
        """
        outcomes = [EventOutcome.DUPLICATE] * len(events)
        people = [
            self._person(user, events, positions) for user, positions in _by_person(events).items()
        ]
        for _ in range(TRIES_WHEN_MOVED):
            people = await self._write_all(people, outcomes)
            if not people:
                return outcomes
        raise StoreUnavailable("moved", f"redis: {len(people)} people are being moved")

    def _person(self, user: str, events: Sequence[Event], positions: list[int]) -> Person:
        keys = UserKeys.of(user)
        limits = self._keep.pack(self._clock())
        packed = pack_events(events[position] for position in positions)
        write = (keys.session, keys.events, keys.check, limits, packed)
        return Person(positions, write)

    async def _write_all(self, people: list[Person], outcomes: list[EventOutcome]) -> list[Person]:
        """Fills in outcomes; gives the people who live on another server of the cluster by now."""
        moved, done = [], 0
        for node, chunk in self._chunks(people):
            replies = await self._write(node, [person.write for person in chunk], done)
            for person, first in zip(chunk, replies, strict=True):
                reply = await self._ask(person.write, first) if is_ask(first) else first
                if not isinstance(reply, bytes):
                    moved.append(person)
                    continue
                done += len(person.positions)
                for position in _stored(person, reply):
                    outcomes[position] = EventOutcome.STORED
        return moved

    def _chunks(self, people: list[Person]) -> Iterator[tuple[RedisClient, list[Person]]]:
        """People of one server, not too many at once."""
        by_node: dict[RedisClient, list[Person]] = {}
        for person in people:
            by_node.setdefault(self._client.node(person.write[0]), []).append(person)
        for node, its in by_node.items():
            for start in range(0, len(its), PEOPLE_PER_PIPELINE):
                yield node, its[start : start + PEOPLE_PER_PIPELINE]

    async def _write(self, node: RedisClient, writes: list[Write], done: int) -> list[object]:
        async def send() -> tuple[list[object], str]:
            replies = await _evaluate(node, writes)
            missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if missing:  # a server that was restarted has forgotten the script
                await node.writes.script_load(RECORD)
                again = await _evaluate(node, [writes[i] for i in missing])
                for i, reply in zip(missing, again, strict=True):
                    replies[i] = reply
            return replies, self._look(writes, replies, done)

        return await node.run("record", self._client.options.write_timeout_s, send)

    async def _ask(self, write: Write, error: object) -> bytes:
        """Writes the events of a person who is just being moved to another server."""

        async def send(node: AskedNode) -> tuple[bytes, str]:
            try:
                reply = await node.writes.execute_command("EVALSHA", RECORD_SHA, 2, *write)
            except NoScriptError:
                await node.writes.script_load(RECORD)
                reply = await node.writes.execute_command("EVALSHA", RECORD_SHA, 2, *write)
            return reply, "ok"

        limit_s = self._client.options.write_timeout_s
        return await self._client.ask(error, "record", limit_s, send)

    def _look(self, writes: list[Write], replies: list[object], done: int) -> str:
        """The outcome word: `ok`, or `moved` when some keys now live on another server.

        Raises:
            StoreUnavailable: some are not stored for another reason.
        """
        outcome = "ok"
        for write, reply in zip(writes, replies, strict=True):
            if self._client.learn(write[0], reply) or is_ask(reply):
                outcome = "moved"
            elif isinstance(reply, Exception):
                stored = sum(isinstance(other, bytes) for other in replies)
                word = classify(reply).outcome
                raise StoreUnavailable(
                    word, f"redis: {word}; {done} events and {stored} more people are stored"
                )
        return outcome


def _stored(person: Person, reply: bytes) -> Iterator[int]:
    """Positions of the events that were new."""
    marks = zip(person.positions, reply, strict=True)
    return (position for position, mark in marks if mark == ord("1"))


async def _evaluate(node: RedisClient, writes: list[Write]) -> list[object]:
    pipeline = node.writes.pipeline(transaction=False)
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

"""Events that wait for a store that is down: bounded, and never lost in silence."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from service.domain.events import Event
from service.errors import StoreUnavailable
from service.ingest import Ingest, Patience
from tests.factories import NOW_S
from tests.fakes import FakeSessions

FINE = Event("e", "click", "u:ann", "i1", NOW_S - 60)


def now() -> float:
    return NOW_S


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions(now)


async def until(condition: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < limit_s, "it never came true"
        await asyncio.sleep(0.001)


class Waiting:
    """An ingest that waits, and how many events waited, whenever that changed."""

    def __init__(self, sessions: FakeSessions, wait_s: float = 5.0) -> None:
        self.told: list[int] = []
        patience = Patience(wait_s, 3, self.told.append)
        self.ingest = Ingest(sessions, now, patience=patience)


async def test_events_wait_for_a_store_that_comes_back(sessions: FakeSessions) -> None:
    waiting, sessions.down = Waiting(sessions), "circuit_open"
    call = asyncio.create_task(waiting.ingest.record([FINE, replace(FINE, event_id="f")]))
    await until(lambda: waiting.told == [2])
    assert not call.done()  # nothing is acknowledged before it is stored
    sessions.down = None
    assert (await call).accepted == 2
    assert waiting.told == [2, 0]


async def test_events_wait_only_so_long(sessions: FakeSessions) -> None:
    waiting, sessions.down = Waiting(sessions, 0.05), "timeout"
    with pytest.raises(StoreUnavailable):
        await waiting.ingest.record([FINE])
    assert waiting.told == [1, 0]


async def test_events_wait_no_longer_than_their_sender(sessions: FakeSessions) -> None:
    waiting, sessions.down = Waiting(sessions, 60.0), "timeout"
    with pytest.raises(StoreUnavailable):
        await waiting.ingest.record([FINE], within_s=0.05)
    assert waiting.told == [1, 0]


async def test_only_so_many_events_wait(sessions: FakeSessions) -> None:
    waiting, sessions.down = Waiting(sessions), "refused"
    two = [FINE, replace(FINE, event_id="f")]
    call = asyncio.create_task(waiting.ingest.record(two))
    await until(lambda: waiting.told == [2])
    with pytest.raises(StoreUnavailable):
        await waiting.ingest.record(two)  # back-pressure: at once
    sessions.down = None
    assert (await call).accepted == 2
    assert (await waiting.ingest.record(two)).duplicates == 2


@pytest.mark.parametrize("outcome", ["oom", "auth"])
async def test_what_waiting_does_not_mend_is_said_at_once(
    sessions: FakeSessions, outcome: str
) -> None:
    waiting, sessions.down = Waiting(sessions), outcome
    with pytest.raises(StoreUnavailable):
        await waiting.ingest.record([FINE])
    assert waiting.told == []


async def test_a_sender_who_leaves_makes_room(sessions: FakeSessions) -> None:
    waiting, sessions.down = Waiting(sessions), "refused"
    call = asyncio.create_task(waiting.ingest.record([FINE]))
    await until(lambda: waiting.told == [1])
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert waiting.told == [1, 0]

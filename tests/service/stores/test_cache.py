import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from service.errors import StoreUnavailable
from service.ports.stores import SessionStore
from service.stores.cache import CachedSessions
from service.stores.codec import Keep
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer
from tests.service.stores.contract import READ_S, Clock, SessionStoreContract, event
from tests.service.stores.stores import Counted, opened

CACHE_S = 0.25


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def stored(
    server: RedisServer, counted: Counted, clock: Clock
) -> AsyncIterator[RedisSessions]:
    async with opened(server.url, counted) as client:
        yield RedisSessions(client, Keep(), clock)


@pytest.fixture
def ticks() -> Clock:
    return Clock(0.0)


@pytest.fixture
def cached(stored: RedisSessions, ticks: Clock) -> CachedSessions:
    return CachedSessions(stored, CACHE_S, ticks)


async def heat(cached: CachedSessions, user: str = "u:ann") -> None:
    for _ in range(6):
        await cached.read(user, READ_S)


class TestCachedSessions(SessionStoreContract):
    @pytest.fixture
    def store(self, stored: RedisSessions) -> SessionStore:
        return CachedSessions(stored, CACHE_S)


async def test_a_visitor_is_always_read_afresh(
    cached: CachedSessions, stored: RedisSessions, ticks: Clock
) -> None:
    for n in range(20):  # two lists a second, and another process stores what was seen
        ticks.now_s += 0.5
        await stored.record([event(f"e{n}", f"i{n}", ago_s=100 - n)])
        assert len((await cached.read("u:ann", READ_S)).item_ids) == n + 1


async def test_an_event_through_this_process_counts_at_once_for_everybody(
    cached: CachedSessions,
) -> None:
    await heat(cached)
    for n in range(20):
        await cached.record([event(f"e{n}", f"i{n}", ago_s=100 - n)])
        assert len((await cached.read("u:ann", READ_S)).item_ids) == n + 1


async def test_an_event_through_another_process_counts_within_the_bound(
    cached: CachedSessions, stored: RedisSessions, ticks: Clock
) -> None:
    await heat(cached)
    await stored.record([event("e", "hat")])
    ticks.now_s += CACHE_S - 0.01
    assert (await cached.read("u:ann", READ_S)).item_ids == ()
    ticks.now_s += 0.01
    assert (await cached.read("u:ann", READ_S)).item_ids == ("hat",)


async def test_callers_that_come_together_wait_for_one_read(
    cached: CachedSessions, counted: Counted
) -> None:
    await heat(cached)
    cached.drop(["u:ann"])
    before = len(counted.outcomes("read"))
    await asyncio.gather(*(cached.read("u:ann", READ_S) for _ in range(500)))
    assert len(counted.outcomes("read")) == before + 1


async def test_a_caller_who_leaves_takes_nobody_along(cached: CachedSessions) -> None:
    await heat(cached)
    cached.drop(["u:ann"])
    first, second = (asyncio.create_task(cached.read("u:ann", READ_S)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).item_ids == ()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_caller_in_a_hurry_gets_its_own_timeout(cached: CachedSessions) -> None:
    await heat(cached)
    cached.drop(["u:ann"])
    patient = asyncio.create_task(cached.read("u:ann", READ_S))
    with pytest.raises(StoreUnavailable, match="timeout"):
        await cached.read("u:ann", 0.0)
    assert (await patient).item_ids == ()


async def test_a_failure_is_not_remembered(server: RedisServer, ticks: Clock) -> None:
    async with opened(server.url) as client:
        cached = CachedSessions(RedisSessions(client, Keep(), Clock()), CACHE_S, ticks)
        await heat(cached)
        cached.drop(["u:ann"])
        client.breaker.trip()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="lately"):
                await cached.read("u:ann", READ_S)
        client.breaker.succeed()
        assert (await cached.read("u:ann", READ_S)).item_ids == ()


@pytest.mark.parametrize("together", [("u:ann",), ("u:ann", "a:phone")])
async def test_a_crowd_of_others_stays_apart_and_nothing_piles_up(
    cached: CachedSessions, ticks: Clock, together: Sequence[str]
) -> None:
    for n in range(400):
        ticks.now_s += 0.02
        await cached.read_all(together, READ_S)
        await cached.read(f"u:{n}", READ_S)
    assert len(cached._shared) == 1
    assert len(cached._counts) <= 52
    ticks.now_s += 5.0
    await cached.read("u:bob", READ_S)
    assert not cached._shared

"""Faults whose figure is counted at the store itself; each test bears the number of its fault.

F16 is in `test_f16_cancellation.py`; F46 in `tests/service/api/test_recommend.py` (an expired
deadline is refused without work); more of F01 to F04 in `tests/service/stores/test_client.py`.
"""

import asyncio
import contextlib
import random
import socket
import threading
from typing import Any

import pytest

from service.domain.requests import Request
from service.domain.sessions import Segment
from service.errors import StoreUnavailable
from service.ingest import EventRules
from service.stages.segment import Segmenter
from service.stores.cache import CachedSessions
from service.stores.client import RedisClient
from service.stores.codec import Keep
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import (
    DUPLICATE,
    NOW_S,
    READ_S,
    STORED,
    Clock,
    event,
)
from tests.service.stores.stores import Counted, opened

HOUR_S = 3600.0
SHUFFLES = 1000
FLOOD = 3000
BOUNDS: dict[str, Any] = {"breaker_open_s": 60.0, "breaker_open_max_s": 60.0}


def store_of(client: RedisClient, clock: Clock | None = None) -> RedisSessions:
    return RedisSessions(client, Keep(), clock or Clock())


async def ends(store: RedisSessions, reads: int) -> list[str]:
    """How reads end, one after the other."""
    told = []
    for _ in range(reads):
        try:
            await store.read("u:ann", READ_S)
            told.append("ok")
        except StoreUnavailable as error:
            told.append(error.outcome)
    return told


async def test_f12_a_server_that_still_loads_is_left_alone() -> None:
    commands = 0

    async def load(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal commands
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                commands += 1
                writer.write(b"-LOADING Redis is loading the dataset in memory\r\n")
        writer.close()

    server = await asyncio.start_server(load, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opened(f"redis://127.0.0.1:{port}", **BOUNDS) as client:
        assert await ends(store_of(client), 50) == ["circuit_open"] * 50
        assert commands == 1  # the PING at the start


async def test_f12_a_user_without_permission_is_not_tried_for_ever() -> None:
    with redis_server(tcp=True) as server, server.client() as plain:
        plain.execute_command("ACL", "SETUSER", "guest", "on", ">pass", "~*", "+ping")
        url = server.url.replace("redis://", "redis://guest:pass@")
        async with opened(url, **BOUNDS) as client:
            assert await ends(store_of(client), 50) == ["auth"] * 5 + ["circuit_open"] * 45
        assert sum(int(one["count"]) for one in plain.acl_log()) == 5


async def test_f12_a_database_that_does_not_exist_costs_the_signal() -> None:
    with redis_server(tcp=True) as server:
        async with opened(server.url.replace("/0", "/99"), **BOUNDS) as client:
            assert set(await ends(store_of(client), 20)) <= {"other", "circuit_open"}


async def test_f13_every_connection_held_costs_the_signal_and_opens_no_breaker() -> None:
    with redis_server() as server:
        async with opened(server.url, pool_size=8, pool_wait_s=0.005) as client:
            pool: Any = client.reads.connection_pool
            held = [await pool.get_connection() for _ in range(8)]
            assert await ends(store_of(client), 20) == ["pool_exhausted"] * 20
            assert client.breaker.is_closed
            assert await store_of(client).record([event("e", "hat")]) == [STORED]
            for connection in held:
                await pool.release(connection)
            assert await ends(store_of(client), 1) == ["ok"]


async def test_f15_a_resolver_that_blocks_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def blocked(host: Any, *rest: Any, **options: Any) -> Any:
        if host == "nowhere.test":
            over.wait(20.0)
            raise socket.gaierror("no such host")
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", blocked)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(tick())
    impatient = {"connect_timeout_s": 0.05, "socket_timeout_s": 0.05, "read_timeout_s": 0.05}
    try:
        async with opened("redis://nowhere.test:6379", **BOUNDS, **impatient) as client:
            assert await ends(store_of(client), 30) == ["circuit_open"] * 30
            client.breaker.succeed()
            told = await ends(store_of(client), 30)
            assert set(told) <= {"timeout", "circuit_open"}
            assert told[-1] == "circuit_open"
            assert ticks > 20  # while names were being looked up, the loop went on
    finally:
        over.set()
        ticker.cancel()


async def test_f48_somebody_hot_costs_four_reads_a_second(server: RedisServer) -> None:
    """Ten seconds of 150 requests a second, half of them for one person."""
    counted, ticks = Counted(), Clock(0.0)
    async with opened(server.url, counted) as client:
        cached = CachedSessions(store_of(client), 0.25, ticks)
        for n in range(750):
            ticks.now_s = n / 75
            await cached.read("u:hot", READ_S)
            await cached.read(f"u:{n}", READ_S)
    reads_of_hot = len(counted.outcomes("read")) - 750
    assert reads_of_hot <= 4 * 10 + 4  # four are needed to see that somebody is hot


@pytest.mark.parametrize("skew_s", [HOUR_S, -HOUR_S])
async def test_f55_a_clock_that_jumps_changes_no_order_and_no_age_is_negative(
    server: RedisServer, skew_s: float
) -> None:
    clock, rules = Clock(), EventRules(late_after_s=24 * HOUR_S)
    segmenter = Segmenter(sparse_below=5, power_from=50, stale_after_s=90 * 24 * HOUR_S)
    async with opened(server.url) as client:
        store = store_of(client, clock)
        await store.record([event("a", "first", ago_s=60)])
        clock.now_s += skew_s
        sent = [event("b", "second", ago_s=30), event("c", "third", ago_s=-200)]
        verdicts = [rules.judge(one, clock.now_s) for one in sent]
        assert [verdict and verdict[0] for verdict in verdicts] == (
            [None, None] if skew_s > 0 else ["future", "future"]
        )
        assert await store.record(sent) == [STORED] * 2
        session = await store.read("u:ann", READ_S)
        assert session.item_ids == ("first", "second", "third")
        assert (session.age_s(clock.now_s) or 0.0) >= 0.0
        assert segmenter(Request(user_id="ann"), session, clock.now_s) is Segment.SPARSE
        with server.client() as plain:
            assert plain.ttl(UserKeys.of("u:ann").session) > 89 * 24 * HOUR_S
        assert await store.record(sent) == [DUPLICATE] * 2


async def test_f64_one_event_from_a_thousand_senders_at_once_counts_once(
    server: RedisServer,
) -> None:
    clock = Clock()
    async with opened(server.url) as client:
        store = store_of(client, clock)
        told = await asyncio.gather(*(store.record([event("e", "hat")]) for _ in range(1000)))
        assert sum(one == [STORED] for one in told) == 1
        assert sum(one == [DUPLICATE] for one in told) == 999
        clock.now_s += 23 * HOUR_S
        assert await store.record([event("e", "hat")]) == [DUPLICATE]
        assert (await store.read("u:ann", READ_S)).n_interactions == 1


async def test_f65_a_flood_by_one_person_stays_within_eight_kibibytes(
    server: RedisServer,
) -> None:
    async with opened(server.url) as client:
        store = store_of(client)
        for start in range(0, FLOOD, 500):
            ids = range(start, start + 500)
            told = await store.record(
                [event(f"e{n}", f"{n % 2000:05}A", "view", FLOOD - n) for n in ids]
            )
            assert told == [STORED] * 500
        session = await store.read("u:ann", READ_S)
        assert (len(session.item_ids), session.n_interactions) == (50, FLOOD)
        keys = UserKeys.of("u:ann")
        with server.client() as plain:
            sizes = [int(plain.memory_usage(key) or 0) for key in (keys.session, keys.events)]
        assert sum(sizes) <= 8192


async def test_f66_a_thousand_shuffles_end_in_one_order(server: RedisServer) -> None:
    chance = random.Random(66)
    items = [f"i{n}" for n in range(8)]
    async with opened(server.url) as client:
        store = store_of(client)
        for start in range(0, SHUFFLES, 100):
            batches = [_shuffled(f"u:{n}", items, chance) for n in range(start, start + 100)]
            for part in range(3):  # three deliveries each, one of them repeated
                await store.record([one for batch in batches for one in batch[part::3]])
            await store.record([one for batch in batches for one in batch[::3]])
        for n in range(SHUFFLES):
            session = await store.read(f"u:{n}", READ_S)
            assert session.item_ids == tuple(items)
            assert session.n_interactions == len(items)


def _shuffled(user: str, items: list[str], chance: random.Random) -> list[Any]:
    events = [
        event(item, item, "view", ago_s=100.0 - place, user=user)
        for place, item in enumerate(items)
    ]
    chance.shuffle(events)
    return events


async def test_f66_late_and_future_events_are_refused_and_counted() -> None:
    rules = EventRules(late_after_s=24 * HOUR_S, future_after_s=300.0)
    agos_s = {25 * HOUR_S: "late", 23 * HOUR_S: None, -299.0: None, -301.0: "future"}
    for ago_s, word in agos_s.items():
        verdict = rules.judge(event("e", "never-heard-of", ago_s=ago_s), NOW_S)
        assert (verdict and verdict[0]) == word

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.errors import StoreUnavailable
from service.stores.client import RedisClient, RedisOptions
from service.stores.connections import TlsConnection
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import event
from tests.service.stores.proxies import proxy
from tests.service.stores.stores import Counted, opened, sessions

DEADLINE_S = 10.0
IMPATIENT: dict[str, Any] = {
    "read_timeout_s": 0.5,
    "connect_timeout_s": 0.5,
    "socket_timeout_s": 0.5,
    "breaker_open_s": 0.02,
    "breaker_open_max_s": 0.1,
}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Polls until `condition` holds."""
    limit_s = time.monotonic() + DEADLINE_S
    while not await condition():
        assert time.monotonic() < limit_s, "it never came true"
        await asyncio.sleep(0.005)


async def outcome(store: RedisSessions, within_s: float = 1.0) -> str:
    """How one read ends."""
    try:
        await store.read("u:ann", within_s)
    except StoreUnavailable as error:
        return error.outcome
    return "ok"


def comes_back(store: RedisSessions) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        return await outcome(store) == "ok"

    return answers


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that is no Redis; gives its URL."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await serve(reader)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def test_tls_is_used_where_the_url_says_so() -> None:
    pool: Any = RedisClient(RedisOptions("rediss://cache:6380/2")).reads.connection_pool
    assert pool.connection_class is TlsConnection
    assert pool.make_connection().db == 2


def test_the_limits_that_keep_the_read_path_alive_are_in_force() -> None:
    """The library's defaults, ten retries and 5 s, once made one call last 59 s."""
    pool: Any = RedisClient(RedisOptions("redis://h")).reads.connection_pool
    connection = pool.make_connection()
    assert connection.retry._retries == 0
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (0.02, 0.02)
    assert (pool.max_connections, pool.timeout) == (32, 0.005)


async def test_a_refused_command_is_tried_once() -> None:
    accepted = 0

    async def hang_up(reader: asyncio.StreamReader) -> None:
        nonlocal accepted
        accepted += 1
        await reader.read(10)

    async with listening(hang_up) as url, opened(url, breaker_open_s=60.0) as client:
        assert accepted == 1  # the PING at the start
        assert not client.breaker.is_closed


async def test_a_server_that_is_down_does_not_stop_the_start_and_is_found_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = RedisServer(tcp=True)
    try:
        counted = Counted()
        async with opened(server.url, counted, **IMPATIENT) as client:
            store = sessions(client)
            assert await outcome(store) == "circuit_open"
            with pytest.raises(StoreUnavailable):
                await store.record([event("e", "hat")])
            server.start()
            await until(comes_back(store))
            assert counted.states[0] == "open"
            assert counted.states[-2:] == ["half_open", "closed"]
            assert len([line for line in caplog.messages if "does not answer" in line]) == 1
    finally:
        server.close()


async def test_a_hung_server_costs_a_few_timeouts_and_then_nothing() -> None:
    with redis_server() as server:
        counted = Counted()
        async with opened(server.url, counted, **IMPATIENT | {"breaker_open_s": 0.3}) as client:
            store = sessions(client)
            assert await outcome(store) == "ok"
            server.pause()
            ends = [await outcome(store) for _ in range(50)]
            waited = ends.count("timeout")  # five, and those that this machine was late to notice
            assert 5 <= waited < 50
            assert ends == ["timeout"] * waited + ["circuit_open"] * (50 - waited)
            server.resume()
            await until(comes_back(store))
            assert client.connections[0] == 0


async def test_while_open_only_one_probe_at_a_time_reaches_the_server() -> None:
    probes = 0

    async def silent(reader: asyncio.StreamReader) -> None:
        nonlocal probes
        while await reader.read(1000):
            probes += 1

    async with listening(silent) as url:
        counted = Counted()
        impatient = {**IMPATIENT, "connect_timeout_s": 0.01, "socket_timeout_s": 0.01}
        async with opened(url, counted, **impatient) as client:
            store = sessions(client)

            async def reopened_thrice() -> bool:
                assert await outcome(store) == "circuit_open"
                return counted.states.count("half_open") >= 3

            await until(reopened_thrice)
            assert probes - len(counted.outcomes("health")) in {0, 1}  # one is on its way
            assert set(counted.outcomes("health")) == {"timeout"}


async def test_a_crashed_server_that_returns_is_used_again() -> None:
    with redis_server(tcp=True) as server:
        async with opened(server.url, **IMPATIENT) as client:
            store = sessions(client)
            await asyncio.gather(*(store.read(f"u:{n}", 1.0) for n in range(8)))
            server.kill()
            ends = [await outcome(store) for _ in range(20)]
            assert set(ends) == {"refused", "circuit_open"}
            server.start()
            await until(comes_back(store))
            assert await outcome(store) == "ok"


async def test_two_thousand_reads_at_once_all_end_well_in_a_pool_of_eight() -> None:
    with redis_server() as server:
        async with opened(server.url, pool_size=8, read_timeout_s=60.0, pool_wait_s=60.0) as client:
            store = sessions(client)
            ends = await asyncio.gather(*(outcome(store, 60.0) for _ in range(2000)))
            assert set(ends) == {"ok"}
            assert sum(client.connections) <= 9


async def test_a_caller_in_a_hurry_is_never_kept_waiting_and_opens_no_breaker() -> None:
    with redis_server(tcp=True) as server:
        async with proxy(server.port, 0.1) as slow, opened(slow.url) as client:
            store = sessions(client)
            for step in range(60):
                with pytest.raises(StoreUnavailable, match="timeout"):
                    await store.read("u:ann", step * 0.0001)
            assert client.breaker.is_closed


async def test_a_stalled_event_loop_does_not_open_the_breaker() -> None:
    with redis_server() as server:
        async with opened(server.url, read_timeout_s=0.02) as client:
            store = sessions(client)
            await asyncio.gather(*(outcome(store) for _ in range(8)))
            for _ in range(3):
                reads = [asyncio.create_task(outcome(store)) for _ in range(8)]
                await asyncio.sleep(0)
                time.sleep(0.1)  # noqa: ASYNC251  the stall
                assert set(await asyncio.gather(*reads)) <= {"ok", "timeout"}
            assert client.breaker.is_closed


async def test_a_missing_password_is_an_auth_outcome_that_is_not_hammered() -> None:
    with redis_server(tcp=True, password="secret") as server:
        counted = Counted()
        async with opened(server.url, counted, breaker_open_s=60.0) as client:
            assert [await outcome(sessions(client)) for _ in range(20)] == ["circuit_open"] * 20
            assert counted.outcomes("health") == ["auth"]
        right = server.url.replace("redis://", "redis://:secret@")
        async with opened(right) as client:
            assert await outcome(sessions(client)) == "ok"


async def test_a_password_that_is_taken_away_is_an_auth_outcome() -> None:
    with redis_server() as server, server.client() as plain:
        async with opened(server.url, breaker_open_s=60.0) as client:
            plain.config_set("requirepass", "secret")
            await client.reads.connection_pool.disconnect()
            ends = [await outcome(sessions(client)) for _ in range(8)]
            assert ends == ["auth"] * 5 + ["circuit_open"] * 3


async def test_work_in_flight_does_not_close_an_open_breaker() -> None:
    with redis_server() as server:
        async with opened(server.url, breaker_open_s=60.0) as client:
            gate = asyncio.Event()

            async def wait() -> tuple[None, str]:
                await gate.wait()
                return None, "ok"

            late = asyncio.create_task(client.run("read", 5.0, wait))
            await asyncio.sleep(0)
            client.breaker.trip()
            gate.set()
            await late
            assert not client.breaker.is_closed


async def test_a_socket_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with opened(f"unix://{tmp_path}/none.sock", breaker_open_s=60.0) as client:
        assert await outcome(sessions(client)) == "circuit_open"

"""The quick client: callers take turns, and nobody gets what was meant for somebody else."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Unreachable

from service.stores.places import Place
from service.stores.pools import Bounds, open_pool
from tests.redis_server import RedisServer


@asynccontextmanager
async def quick(server: RedisServer, size: int, wait_s: float = 5.0) -> AsyncIterator[Any]:
    redis: Any = open_pool(Place.of(server.url), Bounds(size, wait_s, 5.0, 5.0))
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def echoes(redis: Any, n: int) -> bool:
    """Whether n callers at once hear what they said."""
    said = [str(i).encode() for i in range(n)]
    heard = await asyncio.gather(*(redis.execute_command("ECHO", one) for one in said))
    return bool(heard == said)


async def test_more_callers_than_connections_take_turns(server: RedisServer) -> None:
    async with quick(server, size=2) as redis:
        assert await echoes(redis, 50)
        pool = redis.connection_pool
        assert len(pool._available_connections) == 2
        assert not pool._in_use_connections


async def test_a_call_alone_uses_the_same_connection_again(server: RedisServer) -> None:
    async with quick(server, size=8) as redis:
        ids = {await redis.execute_command("CLIENT ID") for _ in range(5)}
        assert len(ids) == 1


async def test_a_connection_that_the_server_closed_is_opened_again(server: RedisServer) -> None:
    async with quick(server, size=4) as redis:
        assert await echoes(redis, 4)
        with server.client() as other:
            other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for connection in redis.connection_pool._available_connections:
            while not await connection.can_read():  # noqa: ASYNC110  a socket tells nobody
                await asyncio.sleep(0.001)
        assert await echoes(redis, 10)


async def test_who_gives_up_leaves_no_reply_to_the_next_caller(server: RedisServer) -> None:
    rng = random.Random(1)
    async with quick(server, size=3) as redis:
        for _ in range(50):
            calls = [asyncio.create_task(redis.execute_command("ECHO", b"old")) for _ in range(6)]
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
            for call in rng.sample(calls, 3):
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert await echoes(redis, 5)
        assert not redis.connection_pool._in_use_connections


async def test_waiting_too_long_for_a_connection_is_an_error_and_costs_nobody_one(
    server: RedisServer,
) -> None:
    async with quick(server, size=1, wait_s=0.01) as redis:
        blocked = asyncio.create_task(redis.execute_command("BLPOP", "nothing", 0))
        while not redis.connection_pool._in_use_connections:  # noqa: ASYNC110  nor does a pool
            await asyncio.sleep(0)
        with pytest.raises(Unreachable, match="No connection available"):
            await redis.execute_command("ECHO", b"me")
        with server.client() as other:
            other.rpush("nothing", "something")
        assert await blocked
        assert await echoes(redis, 1)

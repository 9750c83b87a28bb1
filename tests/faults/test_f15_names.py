"""F15: the resolver of the Redis host fails, hangs, or names another server."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from service.errors import StoreUnavailable
from service.stores.client import RedisClient
from service.stores.codec import Keep
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import READ_S, STORED, Clock, event
from tests.service.stores.stores import opened

HOST = "redis.shop.test"


class Resolver:
    """Stands in for the system's; answers, fails or hangs for one name."""

    def __init__(self) -> None:
        self.asked = 0
        self.addresses: list[str] = ["127.0.0.1"]
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != HOST:
            return self._real(host, port, *rest, **options)
        self.asked += 1
        self.goes_on.wait(20.0)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0))
            for address in self.addresses
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.goes_on.set()


@pytest.fixture
def named() -> Iterator[RedisServer]:
    with redis_server(tcp=True) as server:
        yield server


@pytest.fixture
async def client(resolver: Resolver, named: RedisServer) -> AsyncIterator[RedisClient]:
    async with opened(f"redis://{HOST}:{named.port}/0") as client:
        assert client.is_up
        yield client


async def read(client: RedisClient) -> tuple[str, ...]:
    """What a connection that is opened now finds."""
    for redis in (client.reads, client.writes):
        await redis.connection_pool.disconnect()
    return (await RedisSessions(client, Keep(), Clock()).read("u:ann", READ_S)).item_ids


async def record(client: RedisClient) -> None:
    assert await RedisSessions(client, Keep(), Clock()).record([event("e", "hat")]) == [STORED]


async def test_f15_a_resolver_that_fails_costs_no_connection(
    client: RedisClient, resolver: Resolver
) -> None:
    await record(client)
    resolver.addresses = []
    assert [await read(client) for _ in range(5)] == [("hat",)] * 5
    assert resolver.asked >= 5  # it is asked each time


async def test_f15_a_resolver_that_hangs_costs_no_connection_and_one_thread(
    client: RedisClient, resolver: Resolver
) -> None:
    await record(client)
    resolver.goes_on.clear()
    before = resolver.asked
    try:
        assert [await read(client) for _ in range(20)] == [("hat",)] * 20
        assert resolver.asked == before + 1
    finally:
        resolver.goes_on.set()


async def test_f15_all_addresses_of_a_name_are_tried_and_a_new_answer_counts_at_once(
    client: RedisClient, resolver: Resolver
) -> None:
    await record(client)
    resolver.addresses = ["127.0.0.9", "127.0.0.1"]
    assert await read(client) == ("hat",)
    resolver.addresses = ["127.0.0.9"]  # nobody listens there
    with pytest.raises(StoreUnavailable, match="refused"):
        await read(client)


async def test_f15_a_name_that_never_was_known_is_refused(resolver: Resolver) -> None:
    resolver.addresses = []
    async with opened(f"redis://{HOST}:1/0", breaker_open_s=60.0) as client:
        assert not client.is_up
    assert resolver.asked

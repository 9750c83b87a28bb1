from collections.abc import AsyncIterator

import pytest

from service.errors import StoreUnavailable
from service.ports.stores import StockStore
from service.stores.client import RedisClient
from service.stores.keys import STOCK, STOCK_VERSION
from service.stores.stock import RedisStock
from tests.fakes import FakeStock
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.stores import opened


class StockStoreContract:
    async def test_nothing_was_ever_written(self, store: StockStore) -> None:
        assert dict(await store.read_stock()) == {}

    async def test_what_is_written_is_read_and_the_last_word_counts(
        self, store: StockStore
    ) -> None:
        await store.write_stock({"hat": 3, "größe": 0})
        await store.write_stock({"hat": 0, "cup": 7})
        assert dict(await store.read_stock()) == {"hat": 0, "größe": 0, "cup": 7}

    async def test_many_items_are_written_at_once(self, store: StockStore) -> None:
        stock = {f"i{n}": n for n in range(2500)}
        await store.write_stock(stock)
        assert dict(await store.read_stock()) == stock


class TestFakeStock(StockStoreContract):
    @pytest.fixture
    def store(self) -> StockStore:
        return FakeStock()


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[RedisClient]:
    async with opened(server.url) as client:
        yield client


class TestRedisStock(StockStoreContract):
    @pytest.fixture
    def store(self, client: RedisClient) -> StockStore:
        return RedisStock(client)


async def test_unchanged_stock_is_not_read_again(client: RedisClient, server: RedisServer) -> None:
    here, there = RedisStock(client), RedisStock(client)
    await here.write_stock({"hat": 0})
    first = await there.read_stock()
    with server.client() as plain:
        plain.config_resetstat()
        assert await there.read_stock() is first
        stats = plain.info("commandstats")
        assert "cmdstat_hgetall" not in stats
        assert stats["cmdstat_get"]["calls"] == 1
    await here.write_stock({"hat": 5})
    assert dict(await there.read_stock()) == {"hat": 5}


async def test_a_foreign_entry_counts_as_sold_out(client: RedisClient, server: RedisServer) -> None:
    store = RedisStock(client)
    await store.write_stock({"hat": 3})
    with server.client() as plain:
        plain.hset(STOCK, mapping={"cup": "many", b"\xff": "1"})
        plain.incr(STOCK_VERSION)
    assert dict(await store.read_stock()) == {"hat": 3, "cup": 0, "\ufffd": 1}


async def test_a_foreign_type_is_unavailable(client: RedisClient, server: RedisServer) -> None:
    with server.client() as plain:
        plain.set(STOCK, "x")
        plain.set(STOCK_VERSION, 9)
    with pytest.raises(StoreUnavailable, match="wrongtype"):
        await RedisStock(client).read_stock()


async def test_a_server_that_is_gone_is_unavailable() -> None:
    with redis_server() as server:
        async with opened(server.url) as client:
            store = RedisStock(client)
            server.kill()
            with pytest.raises(StoreUnavailable):
                await store.write_stock({"hat": 0})
            with pytest.raises(StoreUnavailable):
                await store.read_stock()

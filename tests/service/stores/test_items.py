from collections.abc import AsyncIterator

import pytest

from service.domain.items import ItemUpdate, NewItem
from service.errors import StoreUnavailable
from service.ports.stores import ItemStore
from service.stores.client import RedisClient
from service.stores.item_fields import fields_of
from service.stores.items import LOG_ENTRIES, READ_AT_ONCE, RedisItems
from service.stores.keys import ITEM_LOG, ITEMS
from tests.fakes import FakeItems
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.item_contract import AT_S, LAMP, ItemStoreContract, said, stock
from tests.service.stores.stores import opened


class TestFakeItems(ItemStoreContract):
    @pytest.fixture
    def items(self) -> ItemStore:
        return FakeItems(keeps=10_000)


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[RedisClient]:
    async with opened(server.url) as client:
        yield client


@pytest.fixture
def items(client: RedisClient) -> RedisItems:
    return RedisItems(client)


class TestRedisItems(ItemStoreContract):
    @pytest.fixture
    def items(self, client: RedisClient) -> ItemStore:
        return RedisItems(client)


def test_the_fields_are_those_of_the_documentation() -> None:
    update = ItemUpdate("85123A", AT_S, stock=0, price=2.5, is_blocked=True, new=LAMP)
    assert fields_of(update) == {
        "item:85123A": '{"title":"größte Lampe","category":"garden","seller":"anna","price":12.5,'
        '"attributes":{"brand":"lux","colours":["red","green"],"watts":40.0,"is_vegan":true},'
        '"vector":[0.6,-0.8],"embedding_version":"v1","at_s":1700000000.25}',
        "stock:85123A": "0",
        "price:85123A": "2.5 1700000000.25",
        "blocked:85123A": "1 1700000000.25",
    }
    changed = ItemUpdate("85123A", AT_S, attributes={"brand": "lux", "sizes": ("s", "m")})
    assert fields_of(changed) == {
        "attribute:85123A\x1fbrand": '"lux" 1700000000.25',
        "attribute:85123A\x1fsizes": '["s","m"] 1700000000.25',
    }
    plain = ItemUpdate("n-1", AT_S, new=NewItem("red lantern", "garden"))
    assert fields_of(plain) == {
        "item:n-1": '{"title":"red lantern","category":"garden","at_s":1700000000.25}'
    }


async def test_looking_for_news_is_one_command_and_reads_nothing_again(
    items: RedisItems, server: RedisServer
) -> None:
    await items.write([stock("hat", 0)])
    position = (await items.read_all()).position
    with server.client() as plain:
        plain.config_resetstat()
        assert (await items.read_since(position)).updates == ()
        stats = plain.info("commandstats")
    assert {name: its["calls"] for name, its in stats.items() if "xr" in name or "h" in name} == {
        "cmdstat_xrange": 1
    }


async def test_who_missed_too_much_reads_everything(items: RedisItems, server: RedisServer) -> None:
    await items.write([stock("hat", 3)])
    position = (await items.read_all()).position
    await items.write([stock("hat", 0), stock("cup", 1)])
    with server.client() as plain:
        plain.xtrim(ITEM_LOG, maxlen=1, approximate=False)
    changes = await items.read_since(position)
    assert said(changes.updates) == {("hat", "stock"): 0, ("cup", "stock"): 1}
    assert (await items.read_since(changes.position)).updates == ()


async def test_a_server_that_forgot_everything_is_read_from_the_start(
    items: RedisItems, server: RedisServer
) -> None:
    await items.write([stock("hat", 3)])
    position = (await items.read_all()).position
    with server.client() as plain:
        plain.flushall()
    changes = await items.read_since(position)
    assert changes.updates == ()
    await items.write([stock("hat", 1)])
    assert said((await items.read_since(changes.position)).updates) == {("hat", "stock"): 1}


async def test_the_log_stays_small(items: RedisItems, server: RedisServer) -> None:
    await items.write([stock("hat", n) for n in range(LOG_ENTRIES + 2000)])
    with server.client() as plain:
        assert plain.xlen(ITEM_LOG) < LOG_ENTRIES + 1000
        assert plain.hlen(ITEMS) == 1


async def test_more_than_is_read_at_once_is_read_on(items: RedisItems) -> None:
    await items.write([stock("hat", 3)])
    position = (await items.read_all()).position
    await items.write([stock(f"i{n}", n) for n in range(READ_AT_ONCE + 1)])
    first = await items.read_since(position)
    assert first.has_more
    second = await items.read_since(first.position)
    assert not second.has_more
    assert len(said((*first.updates, *second.updates))) == READ_AT_ONCE + 1


async def test_foreign_fields_fail_closed_or_are_counted(
    items: RedisItems, server: RedisServer
) -> None:
    fields = {
        "stock:cup": "many",
        "stock:pen": "-1",
        b"stock:\xff": "1",
        "blocked:cup": "perhaps",
        "blocked:pen": "0 soon",
        "price:cup": "2.5",
        "price:pen": "nan 1",
        "item:cup": "[]",
        "item:pen": '{"title":"pen","at_s":1}',
        "item:ink": '{"title":"ink","category":"c","size":1,"at_s":1}',
        "attribute:cup": '"red" 1',
        "attribute:cup\x1fcolour": "red 1",
        "attribute:cup\x1fbrand": '{"a":1} 1',
        "attribute:cup\x1fhalf": '"\\ud800" 1',
        "attribute:cup\x1fhuge": "1" + "0" * 400 + " 1",
        "attribute:cup\x1fnever": '"red" nan',
        "attribute:cup\x1fyear": "1999 1",
        "colour:cup": "red",
        "nothing": "at all",
    }
    with server.client() as plain:
        plain.hset(ITEMS, mapping=fields)
    changes = await items.read_all()
    assert said(changes.updates) == {
        ("cup", "stock"): 0,
        ("pen", "stock"): 0,
        ("\ufffd", "stock"): 1,
        ("cup", "is_blocked"): True,
        ("pen", "is_blocked"): True,
        ("cup", "year"): 1999.0,
    }
    assert changes.n_unreadable == 13


async def test_another_producer_writes_both_keys(items: RedisItems, server: RedisServer) -> None:
    position = (await items.read_all()).position
    with server.client() as plain, plain.pipeline(transaction=True) as pipeline:
        for units in (0, 4):
            pipeline.hset(ITEMS, "stock:85123A", units)
            pipeline.xadd(ITEM_LOG, {"stock:85123A": units}, maxlen=20_000, approximate=True)
        pipeline.execute()
    assert said((await items.read_since(position)).updates) == {("85123A", "stock"): 4}


async def test_a_foreign_type_is_unavailable(items: RedisItems, server: RedisServer) -> None:
    with server.client() as plain:
        plain.set(ITEMS, "x")
    with pytest.raises(StoreUnavailable, match="wrongtype"):
        await items.read_all()


async def test_a_server_that_is_gone_is_unavailable() -> None:
    with redis_server() as server:
        async with opened(server.url) as client:
            store = RedisItems(client)
            server.kill()
            with pytest.raises(StoreUnavailable):
                await store.write([stock("hat", 0)])
            with pytest.raises(StoreUnavailable):
                await store.read_all()

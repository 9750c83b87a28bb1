"""Counts by the hour: added up, bounded in time, and the same for real and fake."""

from collections.abc import AsyncIterator

import pytest

from service.ports.stores import TrendStore
from service.stores.keys import trend_key
from service.stores.trends import READ_MOST, WRITTEN_AT_ONCE, RedisTrends
from tests.fake_memories import FakeTrends
from tests.redis_server import RedisServer
from tests.service.stores.stores import opened

HOUR = 500_000


class TrendStoreContract:
    async def test_weights_add_up_by_name_and_hour(self, store: TrendStore) -> None:
        await store.add(HOUR, {"a": 0.5, "France\x1fa": 1.0})
        await store.add(HOUR, {"a": 0.25})
        await store.add(HOUR + 1, {"a": 1.0})
        assert await store.read(HOUR) == {"a": 0.75, "France\x1fa": 1.0}

    async def test_an_hour_without_events_is_empty(self, store: TrendStore) -> None:
        assert await store.read(HOUR) == {}


class TestFake(TrendStoreContract):
    @pytest.fixture
    def store(self) -> FakeTrends:
        return FakeTrends()


@pytest.mark.redis
class TestRedis(TrendStoreContract):
    @pytest.fixture
    async def store(self, server: RedisServer) -> AsyncIterator[RedisTrends]:
        async with opened(server.url) as client:
            yield RedisTrends(client, ttl_s=100)

    async def test_hours_are_forgotten(self, store: RedisTrends, server: RedisServer) -> None:
        await store.add(HOUR, {"a": 1.0})
        with server.client() as redis:
            assert 90 < redis.ttl(trend_key(HOUR)) <= 100

    async def test_many_items_are_added_in_parts_and_the_heaviest_are_read(
        self, store: RedisTrends
    ) -> None:
        many = {f"i{i}": float(i) for i in range(1, WRITTEN_AT_ONCE + 10)}
        await store.add(HOUR, many)
        heaviest = sorted(many, key=many.__getitem__)[-READ_MOST:]
        assert await store.read(HOUR) == {name: many[name] for name in heaviest}

"""What a list has shown is kept for its next pages: at once here, soon elsewhere, for a while."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import numpy as np
import pytest

from service.errors import StoreUnavailable
from service.ports.stores import PageStore
from service.stores.keys import page_key
from service.stores.pages import SHOWN_MOST, WAITING, RedisPages
from tests.fake_memories import FakePages
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.stores import PATIENT_S, opened

ID, OTHER = "ab" * 12, "cd" * 12
SHOWN = np.array([1, 2**64 - 1, 7], dtype=np.uint64)


class PageStoreContract:
    async def test_what_was_shown_is_read_back(self, store: PageStore) -> None:
        store.remember(ID, SHOWN)
        found = await store.read(ID, PATIENT_S)
        assert found is not None
        assert found.tolist() == SHOWN.tolist()

    async def test_a_list_that_nobody_remembers_is_none(self, store: PageStore) -> None:
        assert await store.read(OTHER, PATIENT_S) is None


class TestFake(PageStoreContract):
    @pytest.fixture
    def store(self) -> FakePages:
        return FakePages()


@pytest.mark.redis
class TestRedis(PageStoreContract):
    @pytest.fixture
    async def store(self, server: RedisServer) -> AsyncIterator[RedisPages]:
        async with opened(server.url) as client:
            yield RedisPages(client, ttl_s=1800)

    async def test_another_process_can_continue(
        self, store: RedisPages, server: RedisServer
    ) -> None:
        store.remember(ID, SHOWN)
        await store.flush()
        async with opened(server.url) as client:
            found = await RedisPages(client, 1800).read(ID, PATIENT_S)
        assert found is not None
        assert found.tolist() == SHOWN.tolist()
        with server.client() as redis:
            assert 1700 < redis.ttl(page_key(ID)) <= 1800

    async def test_pages_are_written_behind_the_answers(
        self, store: RedisPages, server: RedisServer
    ) -> None:
        task = asyncio.create_task(store.run())
        store.remember(ID, SHOWN)
        with server.client() as redis:
            async with asyncio.timeout(PATIENT_S):
                while not redis.exists(page_key(ID)):  # noqa: ASYNC110  Redis tells nobody
                    await asyncio.sleep(0.005)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def test_many_pages_cost_one_round_trip(self, store: RedisPages) -> None:
        for i in range(300):
            store.remember(f"{i:024x}", SHOWN)
        await store.flush()
        assert await store.read(f"{299:024x}", PATIENT_S) is not None

    async def test_what_waits_and_what_is_kept_is_bounded(self, store: RedisPages) -> None:
        for i in range(WAITING + 10):
            store.remember(f"{i:024x}", SHOWN)
        assert len(store._waiting) == WAITING
        await store.flush()
        store.remember(ID, np.arange(SHOWN_MOST + 5, dtype=np.uint64))
        await store.flush()
        found = await store.read(ID, PATIENT_S)
        assert found is not None
        assert found.tolist() == list(range(5, SHOWN_MOST + 5))

    async def test_foreign_bytes_are_read_as_far_as_they_go(
        self, store: RedisPages, server: RedisServer
    ) -> None:
        with server.client() as redis:
            redis.set(page_key(ID), b"1234567890")
        found = await store.read(ID, PATIENT_S)
        assert found is not None
        assert len(found) == 1

    async def test_no_time_to_live_keeps_nothing(self, server: RedisServer) -> None:
        async with opened(server.url) as client:
            store = RedisPages(client, ttl_s=0)
            store.remember(ID, SHOWN)
            assert await store.read(ID, PATIENT_S) is None


@pytest.mark.redis
async def test_a_server_that_is_gone_forgets_pages_and_says_so() -> None:
    with redis_server() as server:
        async with opened(server.url) as client:
            store = RedisPages(client, 1800)
            server.stop()
            store.remember(ID, SHOWN)
            with pytest.raises(StoreUnavailable):
                await store.flush()
            assert not store._waiting
            with pytest.raises(StoreUnavailable):
                await store.read(ID, PATIENT_S)

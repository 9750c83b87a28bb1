"""What one process is told of items, all processes know."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from service.domain.items import Effect, ItemOutcome, ItemUpdate, Topic
from service.errors import NotReady, StoreUnavailable
from service.items import Items
from service.ports.serving import Release
from tests.factories import NOW_S, make_catalogue, make_release, sold_out
from tests.fake_memories import CountedItems
from tests.fakes import FakeItems

NOBODY = ItemUpdate("unknown", NOW_S, stock=0)


@dataclass
class Live:
    """The live release, if any."""

    release: Release | None

    @property
    def live(self) -> Release:
        if self.release is None:
            raise NotReady("none")
        return self.release


@pytest.fixture
def store() -> FakeItems:
    return FakeItems()


@pytest.fixture
def counted() -> CountedItems:
    return CountedItems()


@pytest.fixture
def releases() -> Live:
    return Live(make_release())


@pytest.fixture
def items(store: FakeItems, releases: Live, counted: CountedItems) -> Items:
    return Items(store, releases, lambda: NOW_S + 0.5, counted)


def back(item_id: str) -> ItemUpdate:
    return ItemUpdate(item_id, NOW_S, stock=7)


def in_stock(release: Release | None) -> list[bool]:
    assert release is not None
    return list(np.asarray(release.stock.in_stock)[:3])


async def until(condition: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < limit_s, "it never came true"
        await asyncio.sleep(0.001)


@asynccontextmanager
async def running(items: Items) -> AsyncIterator[None]:
    task = asyncio.create_task(items.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_an_update_counts_here_at_once_and_is_kept_for_the_others(
    items: Items, store: FakeItems, releases: Live, counted: CountedItems
) -> None:
    await items.update([*sold_out("i1"), back("i2"), NOBODY])
    assert in_stock(releases.release) == [True, False, True]
    assert store.stock == {"i1": 0, "i2": 7, "unknown": 0}
    assert ItemOutcome(Topic.STOCK, Effect.UNKNOWN) in counted.outcomes


async def test_what_is_sold_out_is_gone_here_even_when_the_store_is_down(
    items: Items, store: FakeItems, releases: Live
) -> None:
    store.down = "refused"
    with pytest.raises(StoreUnavailable):
        await items.update(sold_out("i1"))
    assert in_stock(releases.release) == [True, False, True]


async def test_updates_are_kept_while_no_release_is_live(
    items: Items, store: FakeItems, releases: Live
) -> None:
    releases.release = None
    await items.update(sold_out("i1"))
    assert store.stock == {"i1": 0}


async def test_what_others_said_is_applied_in_their_order(
    items: Items, store: FakeItems, releases: Live, counted: CountedItems
) -> None:
    await store.write(sold_out("i0"))
    await items.catch_up()
    assert in_stock(releases.release) == [False, True, True]
    assert counted.lags == []  # what was said before the start is no news
    await store.write([back("i0"), *sold_out("i2"), back("i2"), *sold_out("i2")])
    await items.catch_up()
    assert in_stock(releases.release) == [True, True, False]
    assert counted.lags == [0.5] * 4


async def test_a_new_release_is_told_everything(
    items: Items, store: FakeItems, releases: Live
) -> None:
    await store.write(sold_out("i0"))
    await items.catch_up()
    releases.release = make_release(make_catalogue(8))
    await items.catch_up()
    assert in_stock(releases.release) == [False, True, True]


async def test_who_missed_too_much_is_told_everything(releases: Live) -> None:
    store = FakeItems(keeps=1)
    items = Items(store, releases, lambda: NOW_S, CountedItems())
    await items.catch_up()
    await store.write(sold_out("i0", "i1", "i2"))
    await items.catch_up()
    assert in_stock(releases.release) == [False, False, False]


async def test_thousands_of_updates_leave_room_for_requests(
    items: Items, store: FakeItems, releases: Live
) -> None:
    await store.write([back(f"other-{n}") for n in range(5000)])
    await store.write(sold_out("i1"))
    turns = 0

    async def requests() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(requests())
    await items.catch_up()
    task.cancel()
    assert turns >= 10
    assert in_stock(releases.release) == [True, False, True]


async def test_the_follower_survives_an_outage_and_a_missing_release(
    items: Items, store: FakeItems, releases: Live
) -> None:
    releases.release, store.down = None, "timeout"
    async with running(items):
        await asyncio.sleep(0)
        releases.release = make_release()
        await store_back(store)
        await until(lambda: in_stock(releases.release) == [True, False, True])


async def store_back(store: FakeItems) -> None:
    store.down = None
    await store.write(sold_out("i1"))

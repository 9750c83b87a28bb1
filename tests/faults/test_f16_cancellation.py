"""A reply that nobody waits for any more must never reach somebody else."""

import asyncio
import contextlib
import random

from service.errors import StoreUnavailable
from service.stores.redis import RedisSessions
from tests.redis_server import redis_server
from tests.service.stores.contract import event
from tests.service.stores.proxies import proxy
from tests.service.stores.stores import opened, sessions

PEOPLE, READERS, READS = 40, 16, 120


async def test_cancelled_reads_never_mix_up_people_and_leak_no_connection() -> None:
    chance = random.Random(7)
    with redis_server(tcp=True) as server:
        async with opened(server.url) as client:
            people = range(PEOPLE)
            await sessions(client).record([event("e", f"i{n}", user=f"u:{n}") for n in people])
        async with (
            proxy(server.port, delay_s=0.002) as between,
            opened(between.url, pool_size=16, breaker_failures=1_000_000_000) as client,
        ):
            store = sessions(client)
            counts = await asyncio.gather(*(_reader(store, chance) for _ in range(READERS)))
            assert sum(given_up for given_up, _ in counts) > 500
            assert sum(answered for _, answered in counts) > 200
            assert client.connections[0] == 0
            assert (await store.read("u:1", 5.0)).item_ids == ("i1",)


async def _reader(store: RedisSessions, chance: random.Random) -> tuple[int, int]:
    """Reads people at random; gives up by timeout, by cancellation, or twice in a row."""
    given_up = answered = 0
    for _ in range(READS):
        n = chance.randrange(PEOPLE)
        patience_s = chance.choice((0.0, 0.001, 0.003, 0.005, 5.0))
        task = asyncio.create_task(store.read(f"u:{n}", patience_s if n % 2 else 5.0))
        await asyncio.wait([task], timeout=patience_s)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        try:
            with contextlib.suppress(asyncio.CancelledError, StoreUnavailable):
                assert (await task).item_ids == (f"i{n}",)
                answered += 1
                continue
            given_up += 1
        finally:
            assert task.done()
    return given_up, answered

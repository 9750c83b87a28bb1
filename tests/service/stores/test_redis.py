from collections.abc import AsyncIterator, Iterator
from typing import cast

import numpy as np
import pytest
from redis import Redis

from service.domain.items import item_hash
from service.domain.sessions import Session
from service.errors import StoreUnavailable
from service.stores.client import RedisClient
from service.stores.codec import Keep, pack_session, unpack_session
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import (
    DUPLICATE,
    READ_S,
    STORED,
    Clock,
    event,
    marked,
    words,
)
from tests.service.stores.stores import Counted, opened, sessions

ANN = UserKeys.of("u:ann")


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def client(server: RedisServer, counted: Counted) -> AsyncIterator[RedisClient]:
    async with opened(server.url, counted) as client:
        yield client


@pytest.fixture
def store(client: RedisClient, clock: Clock) -> RedisSessions:
    return RedisSessions(client, Keep(), clock)


@pytest.fixture
def plain(server: RedisServer) -> Iterator[Redis]:
    with server.client() as client:
        yield client


def memory(plain: Redis, key: bytes) -> int:
    return int(plain.memory_usage(key) or 0)


def calls(plain: Redis) -> dict[str, int]:
    return {name: int(stats["calls"]) for name, stats in plain.info("commandstats").items()}


async def test_a_read_is_one_command(store: RedisSessions, plain: Redis) -> None:
    await store.record([event(f"e{n}", f"i{n}") for n in range(20)])
    plain.config_resetstat()
    for _ in range(10):
        assert len((await store.read("u:ann", READ_S)).item_ids) == 20
    commands = calls(plain)
    assert commands.pop("cmdstat_getrange") == 10
    assert not set(commands) - {"cmdstat_config", "cmdstat_config|resetstat", "cmdstat_info"}


async def test_a_batch_is_one_script_per_person(store: RedisSessions, plain: Redis) -> None:
    await store.record([event("warm", "up")])
    plain.config_resetstat()
    await store.record([event(f"e{n}", "hat", user=f"u:{n % 7}") for n in range(70)])
    assert calls(plain)["cmdstat_evalsha"] == 7


async def test_every_key_of_a_person_ends(store: RedisSessions, plain: Redis) -> None:
    await store.record([event("e", "hat", "purchase")])
    assert sorted(plain.keys("*")) == sorted([ANN.session, ANN.events])
    assert 0 < plain.ttl(ANN.session) <= Keep().ttl_s
    assert 0 < plain.ttl(ANN.events) <= Keep().dedupe_s


async def test_stored_bytes_are_those_of_the_documented_layout(
    store: RedisSessions, plain: Redis
) -> None:
    await store.record(
        [event("a", "hat", "purchase", 30), event("b", "größe", "view", 20.5), event("c", "x")]
    )
    stored = cast(bytes, plain.get(ANN.session))
    session, outcome = unpack_session(stored, ANN.check)
    assert outcome == "ok"
    assert pack_session(session, ANN.check) == stored


async def test_another_producer_may_write_the_bytes(store: RedisSessions, plain: Redis) -> None:
    await store.record([event("a", "hat", "purchase", 30)])
    session = await store.read("u:ann", READ_S)
    plain.set(UserKeys.of("u:bob").session, pack_session(session, UserKeys.of("u:bob").check))
    assert (await store.read("u:bob", READ_S)).item_ids == ("hat",)
    await store.record([event("b", "cup", ago_s=5, user="u:bob")])
    assert (await store.read("u:bob", READ_S)).item_ids == ("hat", "cup")


async def test_interests_outlive_events(store: RedisSessions, plain: Redis) -> None:
    plain.set(ANN.session, pack_session(Session(interests=("garden", "küche")), ANN.check))
    await store.record([event("e", "hat")])
    session = await store.read("u:ann", READ_S)
    assert (session.interests, session.item_ids) == (("garden", "küche"), ("hat",))


async def test_an_event_id_is_forgotten_after_two_days_at_most(
    store: RedisSessions, clock: Clock
) -> None:
    for day in range(3):
        await store.record([event(f"day {day}", "cup", ago_s=10 - day)])
        clock.now_s += 86_400
    assert await store.record([event("day 0", "hat", ago_s=1)]) == [STORED]


async def test_a_flood_of_ids_stays_bounded_and_its_replay_changes_nothing(
    store: RedisSessions, plain: Redis
) -> None:
    flood = [event(f"e{n}", f"i{n % 90}", "click", 4000.0 - n) for n in range(1500)]
    for start in range(0, 1500, 500):
        await store.record(flood[start : start + 500])
    before, size = await store.read("u:ann", READ_S), memory(plain, ANN.events)
    for start in range(0, 1500, 500):
        await store.record(flood[start : start + 500])
    after = await store.read("u:ann", READ_S)
    assert words(after) == words(before)
    assert after.n_interactions == before.n_interactions == 1500
    assert marked(after.seen) == marked(before.seen)
    assert max(size, memory(plain, ANN.events)) < 4096


async def test_an_active_person_needs_two_kibibytes_at_most(
    store: RedisSessions, plain: Redis
) -> None:
    types = ("purchase", "view", "click", "add_to_cart")
    await store.record([event(f"e{n}", f"{85_000 + n}A", types[n % 4]) for n in range(50)])
    assert memory(plain, ANN.session) + memory(plain, ANN.events) <= 2048


async def test_a_restarted_server_is_taught_the_script_again(
    store: RedisSessions, plain: Redis
) -> None:
    await store.record([event("a", "hat")])
    plain.script_flush()
    assert await store.record([event("a", "hat"), event("b", "cup", user="u:bob")]) == [
        DUPLICATE,
        STORED,
    ]


@pytest.mark.parametrize("data", [b"noise", b"\x01" * 5000, b"\xff" * 200])
async def test_corrupt_bytes_are_nobody_and_the_next_event_mends_them(
    store: RedisSessions, plain: Redis, counted: Counted, data: bytes
) -> None:
    plain.set(ANN.session, data)
    plain.set(ANN.events, data)
    assert (await store.read("u:ann", READ_S)).item_ids == ()
    assert counted.outcomes("read") == ["corrupt"]
    assert await store.record([event("e", "hat")]) == [STORED]
    assert (await store.read("u:ann", READ_S)).item_ids == ("hat",)


async def test_a_foreign_type_is_nobody_and_the_next_event_mends_it(
    store: RedisSessions, plain: Redis, counted: Counted
) -> None:
    plain.rpush(ANN.session, "a")
    plain.sadd(ANN.events, "b")
    assert (await store.read("u:ann", READ_S)).item_ids == ()
    assert counted.outcomes("read") == ["wrongtype"]
    assert await store.record([event("e", "hat")]) == [STORED]
    assert (await store.read("u:ann", READ_S)).item_ids == ("hat",)


async def test_a_huge_value_is_never_read_as_a_whole(
    store: RedisSessions, plain: Redis, counted: Counted
) -> None:
    plain.set(ANN.session, b"\x01" + ANN.check + b"x" * 10_000_000)
    sent = plain.info("stats")["total_net_output_bytes"]
    assert (await store.read("u:ann", READ_S)).item_ids == ()
    assert plain.info("stats")["total_net_output_bytes"] - sent < 2 * Keep().max_bytes
    assert counted.outcomes("read") == ["corrupt"]


async def test_corrupt_replies_do_not_open_the_breaker(
    store: RedisSessions, client: RedisClient, plain: Redis
) -> None:
    plain.set(ANN.session, b"noise")
    for _ in range(20):
        await store.read("u:ann", READ_S)
    assert client.breaker.is_closed


async def test_a_full_server_refuses_events_and_answers_reads(counted: Counted) -> None:
    with redis_server() as server, server.client() as plain:
        async with opened(server.url, counted) as client:
            store = sessions(client)
            await store.record([event("a", "hat")])
            plain.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable) as refused:
                await store.record([event("b", "cup")])
            assert refused.value.outcome == "oom"
            assert (await store.read("u:ann", READ_S)).item_ids == ("hat",)
            assert client.breaker.is_closed
            plain.config_set("maxmemory", 0)
            assert await store.record([event("b", "cup")]) == [STORED]
    assert counted.outcomes("record") == ["ok", "oom", "ok"]


async def test_a_replica_refuses_events_and_answers_reads(counted: Counted) -> None:
    with redis_server() as server, server.client() as plain:
        async with opened(server.url, counted) as client:
            store = sessions(client)
            await store.record([event("a", "hat")])
            plain.replicaof("127.0.0.1", "1")
            with pytest.raises(StoreUnavailable) as refused:
                await store.record([event("b", "cup")])
            assert refused.value.outcome == "readonly"
            assert (await store.read("u:ann", READ_S)).item_ids == ("hat",)
            plain.replicaof("NO", "ONE")
            assert await store.record([event("a", "hat"), event("b", "cup")]) == [DUPLICATE, STORED]


async def test_a_batch_is_sent_again_after_a_crash_without_loss_or_repetition(
    clock: Clock,
) -> None:
    batch = [event(f"e{n}", f"i{n}", user=f"u:{n % 100}") for n in range(300)]
    with redis_server("--appendonly", "yes", "--appendfsync", "always") as server:
        async with opened(server.url, breaker_open_s=0.02) as client:
            store = RedisSessions(client, Keep(), clock)
            assert await store.record(batch[:150]) == [STORED] * 150
            server.kill()
            with pytest.raises(StoreUnavailable):
                await store.record(batch)
            server.start()
            outcomes = await store.record(batch)
            assert outcomes == [DUPLICATE] * 150 + [STORED] * 150
            read = [await store.read(f"u:{n}", READ_S) for n in range(100)]
            assert sum(session.n_interactions for session in read) == 300


async def test_hashes_of_marks_match_those_of_the_catalogue(store: RedisSessions) -> None:
    await store.record([event("e", "85123A", "purchase")])
    hashes = (await store.read("u:ann", READ_S)).purchased.hashes
    assert np.isin(np.array([item_hash("85123A")], dtype=np.uint64), hashes).all()

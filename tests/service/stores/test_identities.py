"""Identities in a real Redis: the contract, round trips, races, and what a failure leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from service.stages.identify import Identify
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster, open_client
from service.stores.codec import Keep
from service.stores.identities import RedisIdentities
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from tests.fakes import FakeIdentities, FakeSessions
from tests.redis_groups import Cluster, redis_cluster
from tests.redis_server import RedisServer
from tests.service.stores.contract import READ_S, Clock, event
from tests.service.stores.identity_contract import (
    ALREADY,
    CONFLICT,
    IDS_KEPT,
    LINKED,
    IdentityStoreContract,
    Stores,
    look,
    look_up,
)
from tests.service.stores.stores import opened, options

TTL_S = 1000


def stores_of(client: RedisClient | RedisCluster, clock: Clock) -> Stores:
    sessions = RedisSessions(client, Keep(ttl_s=TTL_S), clock)
    return Stores(sessions, RedisIdentities(client, sessions, IDS_KEPT, TTL_S))


@pytest.fixture
async def stores(server: RedisServer, clock: Clock) -> AsyncIterator[Stores]:
    async with opened(server.url) as client:
        yield stores_of(client, clock)


@pytest.fixture
def plain(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with redis_cluster() as nodes:
        yield nodes


class TestRedisIdentities(IdentityStoreContract):
    pass


class TestClusterIdentities(IdentityStoreContract):
    @pytest.fixture
    async def stores(self, cluster: Cluster, clock: Clock) -> AsyncIterator[Stores]:
        cluster.flush()
        async with open_client(options(cluster.url)) as client:
            yield stores_of(client, clock)


class TestFakeIdentities(IdentityStoreContract):
    @pytest.fixture
    def stores(self, clock: Clock) -> Stores:
        sessions = FakeSessions(clock)
        return Stores(sessions, FakeIdentities(sessions, IDS_KEPT))


async def trips(plain: redis.Redis, stores: Stores, user: str, identify: Identify) -> int:
    """Round trips of one lookup, as the server counts them: times that it found something to read.

    `INFO commandstats` shows that all of it were bounded reads of sessions.
    """
    plain.config_resetstat()
    await look_up(stores, user, identify)
    stats, commands = plain.info("stats"), plain.info("commandstats")
    assert set(commands) <= {"cmdstat_getrange", "cmdstat_info", "cmdstat_config|resetstat"} | {
        "cmdstat_config"
    }
    return int(stats["total_reads_processed"]) - 1  # the question itself


@pytest.mark.parametrize(
    ("user", "first", "then"),
    [("u:bob", 1, 1), ("a:guest", 1, 1), ("u:ann", 2, 1), ("a:phone", 2, 1), ("a:tablet", 2, 1)],
)
async def test_a_recommendation_takes_one_round_trip_and_two_to_learn_of_links(
    stores: Stores, plain: redis.Redis, user: str, first: int, then: int
) -> None:
    for one in ("a:phone", "a:tablet", "a:laptop"):
        await stores.identities.link("u:ann", one)
    for known in ("u:ann", "u:bob", "a:guest", "a:phone", "a:tablet"):
        await stores.sessions.record([event("1", "hat", user=known)])
    identify = Identify(100)
    await stores.sessions.read("u:nobody", READ_S)  # connects
    assert await trips(plain, stores, user, identify) == first
    assert await trips(plain, stores, user, identify) == then


async def test_somebody_with_one_id_costs_one_command(stores: Stores, plain: redis.Redis) -> None:
    await stores.sessions.record([event("1", "hat", user="u:bob")])
    plain.config_resetstat()
    await look(stores, "u:bob")
    assert plain.info("commandstats")["cmdstat_getrange"]["calls"] == 1


async def test_of_many_accounts_that_want_one_id_at_once_one_gets_it(stores: Stores) -> None:
    for n in range(20):
        accounts = [f"u:{n}-{i}" for i in range(8)]
        outcomes = await asyncio.gather(
            *(stores.identities.link(account, f"a:{n}") for account in accounts)
        )
        assert sorted(outcomes) == [CONFLICT] * 7 + [LINKED]
        winner = accounts[outcomes.index(LINKED)]
        assert (await look(stores, f"a:{n}")).user == winner
        for account in accounts:
            expected = (account, f"a:{n}") if account == winner else (account,)
            assert (await look(stores, account)).ids == expected
            assert (await stores.sessions.read(account, READ_S)).links == expected[1:]


async def test_links_of_one_account_made_at_once_all_hold(stores: Stores) -> None:
    ids = [f"a:{i}" for i in range(IDS_KEPT)]
    await asyncio.gather(*(stores.identities.link("u:ann", one) for one in ids))
    for user in ("u:ann", *ids):
        assert set((await look(stores, user)).ids) == {"u:ann", *ids}


async def test_links_and_unlinks_at_once_leave_both_ends_agreeing(stores: Stores) -> None:
    for n in range(20):
        phone = f"a:{n}"
        works = (stores.identities.link, stores.identities.unlink) * 3
        await asyncio.gather(*(work("u:ann", phone) for work in works))
        seen = (await look(stores, "u:ann")).ids, (await look(stores, phone)).ids
        assert seen in {(("u:ann",), (phone,)), (("u:ann", phone), ("u:ann", phone))}
        await stores.identities.unlink("u:ann", phone)
        assert (await look(stores, phone)).ids == (phone,)


async def test_after_forgetting_no_key_remains(stores: Stores, plain: redis.Redis) -> None:
    for one in ("a:phone", "a:tablet"):
        await stores.identities.link("u:ann", one)
        await stores.sessions.record([event("1", "hat", user=one), event("2", "cup")])
    await stores.identities.set_interests("u:ann", ["toys"])
    assert plain.dbsize() == 6
    await stores.identities.forget("u:ann")
    assert plain.keys("*") == []


async def test_undoing_everything_leaves_no_key(stores: Stores, plain: redis.Redis) -> None:
    await stores.identities.link("u:ann", "a:phone")
    await stores.identities.unlink("u:ann", "a:phone")
    await stores.identities.set_interests("u:bob", ["toys"])
    await stores.identities.set_interests("u:bob", [])
    assert plain.keys("*") == []


async def test_every_key_lives_for_a_limited_time(stores: Stores, plain: redis.Redis) -> None:
    await stores.identities.link("u:ann", "a:phone")
    await stores.identities.set_interests("u:bob", ["toys"])
    for key in plain.keys("*"):
        plain.expire(key, 100)
    assert await stores.identities.link("u:ann", "a:phone") is ALREADY  # renews
    assert [plain.ttl(UserKeys.of(u).session) > 900 for u in ("u:ann", "a:phone", "u:bob")] == [
        *(True, True, False)
    ]
    await stores.identities.link("u:ann", "a:tablet")
    await stores.identities.unlink("u:ann", "a:tablet")
    assert all(0 < int(plain.ttl(key)) <= TTL_S for key in plain.keys("*"))


async def test_both_ends_of_a_link_have_the_documented_bytes(
    stores: Stores, plain: redis.Redis
) -> None:
    await stores.identities.set_interests("u:42", ["garden"])
    await stores.identities.link("u:42", "a:phone")
    await stores.identities.link("u:42", "a:pc")
    blank = "000000000000000000000000"
    assert _hex(plain, "u:42") == (
        "02" + "5b75055d47c1608b" + blank + "01" + blank[:8]
        + b"garden\na:phone\na:pc\n".hex()
    )  # fmt: skip
    head = "02" + UserKeys.of("a:phone").check.hex() + blank + "00" + blank[:8]
    assert _hex(plain, "a:phone") == head + b"u:42\na:pc\n".hex()


async def test_the_documents_example_is_what_is_stored(stores: Stores, plain: redis.Redis) -> None:
    page = (Path(__file__).parents[3] / "docs" / "redis.md").read_text(encoding="utf-8")
    await stores.identities.link("u:42", "a:phone")
    await stores.identities.link("u:42", "a:pc")
    block = next(b for b in page.split("```") if UserKeys.of("a:phone").check.hex() in b)
    documented = "".join(line[:25].replace(" ", "") for line in block.splitlines())
    assert documented == _hex(plain, "a:phone")


def _hex(plain: redis.Redis, user: str) -> str:
    data: bytes = plain.get(UserKeys.of(user).session)
    return data.hex()


async def test_foreign_bytes_are_replaced(stores: Stores, plain: redis.Redis) -> None:
    plain.set(UserKeys.of("u:ann").session, b"\x01 what is this")
    plain.lpush(UserKeys.of("a:phone").session, "x")
    assert await stores.identities.link("u:ann", "a:phone") is LINKED
    assert (await look(stores, "a:phone")).ids == ("u:ann", "a:phone")


async def test_a_script_that_was_lost_is_loaded_again(stores: Stores, plain: redis.Redis) -> None:
    await stores.identities.link("u:ann", "a:phone")
    plain.script_flush()
    assert await stores.identities.link("u:ann", "a:tablet") is LINKED


async def test_what_is_kept_elsewhere_of_changed_people_is_dropped(
    server: RedisServer, clock: Clock
) -> None:
    changed: set[str] = set()
    async with opened(server.url) as client:
        sessions = RedisSessions(client, Keep(), clock)
        identities = RedisIdentities(client, sessions, IDS_KEPT, TTL_S, changed.update)
        await identities.link("u:ann", "a:phone")
    assert changed == {"u:ann", "a:phone"}

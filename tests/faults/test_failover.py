"""F10 and F11: a master dies, a Sentinel or the cluster itself promotes another one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis as redis_py

from service.errors import StoreUnavailable
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster, open_client
from service.stores.codec import Keep
from service.stores.identities import RedisIdentities
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from service.stores.servers import wait_for
from tests.redis_groups import redis_cluster, redis_sentinels
from tests.redis_server import RedisServer
from tests.service.stores.contract import STORED, Clock, event
from tests.service.stores.stores import Counted, options

USERS = [f"u:{n}" for n in range(48)]
BOUNDS: dict[str, Any] = {
    "connect_timeout_s": 2.0,
    "socket_timeout_s": 2.0,
    "read_timeout_s": 2.0,
    "write_timeout_s": 2.0,
    "breaker_open_s": 0.1,
    "breaker_open_max_s": 30.0,
}
BACK_WITHIN_S = 30.0


def store_of(client: RedisClient | RedisCluster) -> RedisSessions:
    return RedisSessions(client, Keep(), Clock())


async def read(store: RedisSessions, user: str) -> str:
    """`ok`, or how the read failed; anything but what was stored is a bad answer."""
    try:
        session = await store.read(user, 2.0)
    except StoreUnavailable as error:
        return error.outcome
    assert session.item_ids[:1] == (user,), session
    return "ok"


async def write(store: RedisSessions, name: str, users: list[str]) -> str:
    try:
        await store.record([event(name, "cup", ago_s=1, user=user) for user in users])
    except StoreUnavailable as error:
        return error.outcome
    return "ok"


async def until(attempt: Callable[[], Awaitable[bool]]) -> None:
    end_s = time.monotonic() + BACK_WITHIN_S
    while not await attempt():
        assert time.monotonic() < end_s, "it never came true"
        await asyncio.sleep(0.02)


async def fill(store: RedisSessions) -> None:
    batch = [event(f"first-{user}", user, ago_s=99, user=user) for user in USERS]
    assert await store.record(batch) == [STORED] * len(USERS)


def wait_for_copies(server: RedisServer) -> None:
    with server.client() as plain:
        assert wait_for(lambda: plain.execute_command("WAIT", 1, 1000) == 1, 10.0)


async def test_f11_a_sentinel_promotes_another_master() -> None:
    with redis_sentinels() as group:
        counted = Counted()
        async with open_client(options(group.url, **BOUNDS), counted) as client:
            store = store_of(client)
            await fill(store)
            old = group.master()
            wait_for_copies(old)
            await asyncio.gather(*(read(store, user) for user in USERS))  # many connections
            old.kill()
            ends = [await read(store, user) for user in USERS]
            assert set(ends) <= {"refused", "timeout", "circuit_open"}

            async def everybody_is_back() -> bool:
                return {await read(store, user) for user in USERS} == {"ok"}

            await until(everybody_is_back)
            assert group.master() is not old
            assert await write(store, "second", USERS) == "ok"  # no later than the reads
            assert counted.states[0] == "open"
            assert counted.states[-1] == "closed"
            assert client.connections[0] == 0


async def test_f10_a_planned_switch_costs_next_to_nothing() -> None:
    with redis_sentinels() as group:
        async with open_client(options(group.url, **BOUNDS)) as client:
            store = store_of(client)
            await fill(store)
            old = group.master()
            wait_for_copies(old)
            with group.watchers[0].client() as watcher:
                await until(lambda: _failover(watcher))
            await until(lambda: _is(group.master() is not old))

            async def writes_are_back() -> bool:
                return await write(store, "second", USERS) == "ok"

            await until(writes_are_back)
            assert [await read(store, user) for user in USERS] == ["ok"] * len(USERS)
        with group.master().client() as plain:
            assert plain.exists(UserKeys.of(USERS[0]).session)
            assert plain.info("replication")["role"] == "master"


async def test_f11_a_lost_node_costs_only_what_it_held() -> None:
    with redis_cluster() as cluster:
        async with open_client(options(cluster.url, **BOUNDS)) as client:
            store = store_of(client)
            await fill(store)
            lost = cluster.masters[1]
            its = {user for user in USERS if _port(client, user) == lost.port}
            assert 5 < len(its) < 40
            lost.kill()
            for _ in range(6):
                ends = {user: await read(store, user) for user in USERS}
                assert {user for user, end in ends.items() if end != "ok"} == its
            assert not client.is_up
            others = [user for user in USERS if user not in its]
            assert await write(store, "second", others) == "ok"
            assert await write(store, "second", USERS) != "ok"
            lost.start()

            async def all_answer() -> bool:
                try:
                    await asyncio.gather(*(store.read(user, 2.0) for user in USERS))
                except StoreUnavailable:
                    return False
                return True

            await until(all_answer)


async def test_f11_a_cluster_promotes_a_replica() -> None:
    with redis_cluster(replicas=1) as cluster:
        counted = Counted()
        async with open_client(options(cluster.url, **BOUNDS), counted) as client:
            store = store_of(client)
            await fill(store)
            lost = cluster.masters[0]
            wait_for_copies(lost)
            lost.kill()

            async def everybody_is_back() -> bool:
                return {await read(store, user) for user in USERS} == {"ok"}

            await until(everybody_is_back)
            assert await write(store, "second", USERS) == "ok"
            assert client.is_up
            assert counted.states[-1] == "closed"
            assert len(list(client.nodes)) == 3  # type: ignore[union-attr]


async def test_f11_a_key_that_has_moved_is_followed_once_and_then_known() -> None:
    with redis_cluster() as cluster:
        counted = Counted()
        async with open_client(options(cluster.url, **BOUNDS), counted) as client:
            store = store_of(client)
            await fill(store)
            user = next(one for one in USERS if _port(client, one) == cluster.masters[0].port)
            _move(cluster.masters[0], cluster.masters[2], UserKeys.of(user).session)
            counted.operations.clear()
            assert [await read(store, user) for _ in range(3)] == ["ok"] * 3
            assert counted.outcomes("read") == ["moved", "ok", "ok", "ok"]
            _move(cluster.masters[2], cluster.masters[0], UserKeys.of(user).session)
            assert await write(store, "second", USERS) == "ok"
            assert client.is_up


async def test_f11_a_slot_that_is_being_moved_is_asked_for_at_both_ends() -> None:
    """Half of its keys have arrived; nobody is answered without a history meanwhile."""
    with redis_cluster() as cluster:
        source, target = cluster.masters[0], cluster.masters[2]
        async with open_client(options(cluster.url, **BOUNDS)) as client:
            store = store_of(client)
            await fill(store)
            gone = next(one for one in USERS if _port(client, one) == source.port)
            end = _begin_to_move(source, target, UserKeys.of(gone).session)
            assert [await read(store, gone) for _ in range(3)] == ["ok"] * 3
            together = await store.read_all([gone, *USERS[:9]], 2.0)
            assert together[gone].item_ids == (gone,)
            assert len(together) == len({gone, *USERS[:9]})
            assert await write(store, "second", USERS) == "ok"
            assert await write(store, "second", USERS) == "ok"
            assert (await store.read(gone, 2.0)).item_ids == (gone, "cup")
            assert await RedisIdentities(client, store, 8, 1000).link(gone, "a:phone") == "linked"
            assert _port(client, gone) == source.port  # what was asked is not believed to be so
            assert client.is_up
            end()
            assert await read(store, gone) == "ok"
            assert (await store.read(gone, 2.0)).links == ("a:phone",)


async def test_f11_somebody_new_in_a_slot_that_is_being_moved_has_to_wait() -> None:
    """Redis runs no script on two keys of such a slot before both are there."""
    with redis_cluster() as cluster:
        source, target = cluster.masters[0], cluster.masters[2]
        async with open_client(options(cluster.url, **BOUNDS)) as client:
            store = store_of(client)
            user = next(one for one in USERS if _port(client, one) == source.port)
            end = _begin_to_move(source, target, UserKeys.of(user).session)
            assert (await store.read(user, 2.0)).item_ids == ()
            assert await write(store, "first", [user]) == "moved"
            end()
            assert await write(store, "first", [user]) == "ok"


def _port(client: RedisClient | RedisCluster, user: str) -> int:
    pool: Any = client.node(UserKeys.of(user).session).reads.connection_pool
    port: int = pool.connection_kwargs["port"]
    return port


def _move(source: RedisServer, target: RedisServer, key: bytes) -> None:
    """Moves a slot with its keys from one master to another, as an operator would."""
    _begin_to_move(source, target, key)()


def _begin_to_move(source: RedisServer, target: RedisServer, key: bytes) -> Callable[[], None]:
    """Moves the keys of a slot, but not yet the slot; gives what ends it."""
    with source.client() as old, target.client() as new:
        slot = old.execute_command("CLUSTER", "KEYSLOT", key)
        names = {one: _do(one, "CLUSTER", "MYID") for one in (source, target)}
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        keys = old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
        if keys:
            old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def end() -> None:
        for one in (target, source):
            _do(one, "CLUSTER", "SETSLOT", slot, "NODE", names[target])

    return end


def _do(server: RedisServer, *command: object) -> Any:
    with server.client() as plain:
        return plain.execute_command(*command)  # type: ignore[no-untyped-call]


async def _failover(watcher: redis_py.Redis) -> bool:
    try:
        watcher.execute_command("SENTINEL", "FAILOVER", "shop")
    except redis_py.ResponseError:  # it does not know the replica well enough yet
        return False
    return True


async def _is(condition: bool) -> bool:
    return condition

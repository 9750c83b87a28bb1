"""The one contract again: over TCP, TLS, Sentinels and a cluster, each a real one."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.domain.items import ItemUpdate
from service.ports.stores import ItemStore, SessionStore
from service.stores.cluster import RedisCluster, open_client
from service.stores.codec import Keep
from service.stores.items import RedisItems
from service.stores.redis import RedisSessions
from tests.redis_groups import Cluster, Sentinels, redis_cluster, redis_sentinels
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.certificates import Certificate, certificate
from tests.service.stores.contract import READ_S, Clock, SessionStoreContract, event
from tests.service.stores.item_contract import ItemStoreContract
from tests.service.stores.proxies import proxy
from tests.service.stores.stores import options

USERS = [f"u:{n}" for n in range(60)]


@pytest.fixture(scope="module")
def tcp() -> Iterator[RedisServer]:
    with redis_server(tcp=True) as server:
        yield server


@pytest.fixture(scope="module")
def sentinels() -> Iterator[Sentinels]:
    with redis_sentinels() as group:
        yield group


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with redis_cluster() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


def flush(server: RedisServer) -> None:
    with server.client() as plain:
        plain.flushall()


class TestTcp(SessionStoreContract):
    @pytest.fixture
    async def store(self, tcp: RedisServer, clock: Clock) -> AsyncIterator[SessionStore]:
        flush(tcp)
        async with open_client(options(tcp.url)) as client:
            yield RedisSessions(client, Keep(), clock)


class TestTls(SessionStoreContract):
    @pytest.fixture
    async def store(
        self, tcp: RedisServer, signed: Certificate, clock: Clock
    ) -> AsyncIterator[SessionStore]:
        flush(tcp)
        async with proxy(tcp.port, 0.0, signed.for_server()) as between:
            url = f"rediss://localhost:{between.port}/0?ssl_ca_certs={signed.certificate}"
            async with open_client(options(url)) as client:
                yield RedisSessions(client, Keep(), clock)


class TestSentinel(SessionStoreContract):
    @pytest.fixture
    async def store(self, sentinels: Sentinels, clock: Clock) -> AsyncIterator[SessionStore]:
        flush(sentinels.master())
        async with open_client(options(sentinels.url)) as client:
            yield RedisSessions(client, Keep(), clock)


class TestCluster(SessionStoreContract):
    @pytest.fixture
    async def store(self, cluster: Cluster, clock: Clock) -> AsyncIterator[SessionStore]:
        cluster.flush()
        async with open_client(options(cluster.url)) as client:
            yield RedisSessions(client, Keep(), clock)


class TestItemsOverTcp(ItemStoreContract):
    @pytest.fixture
    async def items(self, tcp: RedisServer) -> AsyncIterator[ItemStore]:
        flush(tcp)
        async with open_client(options(tcp.url)) as client:
            yield RedisItems(client)


class TestItemsWithSentinels(ItemStoreContract):
    @pytest.fixture
    async def items(self, sentinels: Sentinels) -> AsyncIterator[ItemStore]:
        flush(sentinels.master())
        async with open_client(options(sentinels.url)) as client:
            yield RedisItems(client)


class TestItemsInACluster(ItemStoreContract):
    @pytest.fixture
    async def items(self, cluster: Cluster) -> AsyncIterator[ItemStore]:
        cluster.flush()
        async with open_client(options(cluster.url)) as client:
            yield RedisItems(client)


async def test_a_certificate_of_nobody_we_know_is_refused(
    tcp: RedisServer, signed: Certificate, tmp_path: Path
) -> None:
    other = certificate(tmp_path)
    async with proxy(tcp.port, 0.0, signed.for_server()) as between:
        url = f"rediss://localhost:{between.port}/0?ssl_ca_certs={other.certificate}"
        async with open_client(options(url, breaker_open_s=60.0)) as client:
            assert not client.is_up


async def test_a_certificate_for_another_name_is_refused(
    tcp: RedisServer, signed: Certificate
) -> None:
    assert signed.for_server().verify_mode is ssl.CERT_NONE  # clients need none
    async with proxy(tcp.port, 0.0, signed.for_server()) as between:
        url = f"rediss://127.0.0.1:{between.port}/0?ssl_ca_certs={signed.certificate}"
        async with open_client(options(url, breaker_open_s=60.0)) as client:
            assert not client.is_up


async def test_people_and_items_live_on_all_nodes_of_a_cluster(
    cluster: Cluster, clock: Clock
) -> None:
    cluster.flush()
    async with open_client(options(cluster.url)) as client:
        store, items = RedisSessions(client, Keep(), clock), RedisItems(client)
        await store.record([event(f"e-{user}", "hat", user=user) for user in USERS])
        await items.write([ItemUpdate("hat", 0.0, stock=3), ItemUpdate("cup", 0.0, stock=0)])
        told = (await items.read_all()).updates
        assert {one.item_id: one.stock for one in told} == {"hat": 3, "cup": 0}
        for user in USERS:
            assert (await store.read(user, READ_S)).item_ids == ("hat",)
    for node in cluster.masters:
        with node.client() as plain:
            assert plain.dbsize() > 20


async def test_a_client_that_knows_one_node_finds_the_others(
    cluster: Cluster, clock: Clock
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster.masters[1].port}"
    async with open_client(options(url)) as client:
        assert isinstance(client, RedisCluster)
        assert len(list(client.nodes)) == 3
        assert client.is_up

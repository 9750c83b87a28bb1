"""Real Redis clusters and Sentinel trios for tests, on free ports of 127.0.0.1."""

import contextlib
from collections.abc import Iterator
from typing import Any

import redis

from service.stores.cluster import SLOTS
from service.stores.servers import wait_for
from tests.redis_server import RedisServer

MASTER = "shop"
READY_WITHIN_S = 20.0
PORTS_BELOW = 55_000
"""A node's bus listens on its port plus 10,000."""


def _cluster_node() -> RedisServer:
    settings = {
        "--cluster-enabled": "yes",
        "--cluster-config-file": "nodes.conf",
        "--cluster-node-timeout": "1000",
        "--cluster-require-full-coverage": "no",
    }
    arguments = [word for pair in settings.items() for word in pair]
    while (node := RedisServer(*arguments, tcp=True)).port >= PORTS_BELOW:
        node.close()
    return node


class Cluster:
    """Three masters with a third of the slots each; `replicas` more follow the first one."""

    def __init__(self, replicas: int = 0) -> None:
        self.masters = [_cluster_node() for _ in range(3)]
        self.replicas = [_cluster_node() for _ in range(replicas)]
        self.nodes = [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        third = SLOTS // 3 + 1
        for number, node in enumerate(self.masters):
            slots = range(number * third, min((number + 1) * third, SLOTS))
            _do(node, "CLUSTER", "ADDSLOTS", *slots)
            _do(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            _do(node, "CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        assert wait_for(self._is_whole, READY_WITHIN_S), "the cluster did not come together"
        for replica in self.replicas:
            _do(replica, "CLUSTER", "REPLICATE", _do(self.masters[0], "CLUSTER", "MYID"))
            assert wait_for(lambda it=replica: _follows(it), READY_WITHIN_S), "no replica"  # type: ignore[misc]

    def flush(self) -> None:
        for node in self.masters:
            _do(node, "FLUSHALL")

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _is_whole(self) -> bool:
        return all(
            b"cluster_state:ok" in info and b"cluster_slots_ok:16384" in info and knows_all in info
            for info in (_do(node, "CLUSTER", "INFO") for node in self.nodes)
            for knows_all in [f"cluster_known_nodes:{len(self.nodes)}".encode()]
        )


class Sentinels:
    """A master, a replica, and three Sentinels that watch them and agree by two."""

    def __init__(self) -> None:
        self.servers = [RedisServer(tcp=True) for _ in range(2)]
        self.watchers = [RedisServer(tcp=True) for _ in range(3)]
        for watcher in self.watchers:
            watcher.arguments = [str(watcher.folder / "sentinel.conf"), "--sentinel"]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in self.watchers)
        return f"redis+sentinel://{hosts}/{MASTER}"

    def start(self) -> None:
        first, second = self.servers
        first.start()
        second.arguments = ["--replicaof", "127.0.0.1", str(first.port)]
        second.start()
        for watcher in self.watchers:
            (watcher.folder / "sentinel.conf").write_text(
                f"port {watcher.port}\nbind 127.0.0.1\ndir {watcher.folder}\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {first.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} 500\n"
                f"sentinel failover-timeout {MASTER} 4000\n"
            )
            watcher.start_bare()
        assert wait_for(lambda: _follows(second), READY_WITHIN_S), "no replica"
        assert wait_for(self._all_agree, READY_WITHIN_S), "the Sentinels did not find each other"

    def master(self) -> RedisServer:
        """The server that the first Sentinel names."""
        _, port = _do(self.watchers[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(server for server in self.servers if server.port == int(port))

    def close(self) -> None:
        for server in (*self.watchers, *self.servers):
            server.close()

    def _all_agree(self) -> bool:
        states = [_do(watcher, "SENTINEL MASTER", MASTER) for watcher in self.watchers]
        return all(it["num-other-sentinels"] == 2 and it["num-slaves"] == 1 for it in states)


def _do(server: RedisServer, *command: Any) -> Any:
    with server.client() as client:
        return client.execute_command(*command)


def _follows(replica: RedisServer) -> bool:
    with contextlib.suppress(redis.RedisError):
        told: dict[str, Any] = _do(replica, "INFO", "replication")
        return told["role"] == "slave" and told["master_link_status"] == "up"
    return False


@contextlib.contextmanager
def redis_cluster(replicas: int = 0) -> Iterator[Cluster]:
    """A started cluster that is gone afterwards."""
    cluster = Cluster(replicas)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@contextlib.contextmanager
def redis_sentinels() -> Iterator[Sentinels]:
    """A started trio with its master and replica; gone afterwards."""
    group = Sentinels()
    try:
        group.start()
        yield group
    finally:
        group.close()

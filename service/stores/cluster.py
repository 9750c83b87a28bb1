"""A Redis Cluster: one client with a breaker of its own for each master, and who holds what."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

from redis.crc import key_slot
from redis.exceptions import MovedError

from service.errors import StoreUnavailable
from service.stores.asking import AskedNode, AskingRedis, is_ask
from service.stores.breaker import State
from service.stores.client import RedisClient, RedisOptions, Reply
from service.stores.outcomes import NoMetrics, StoreMetrics
from service.stores.places import Place

log = logging.getLogger(__name__)
SLOTS = 16_384
LOOK_S = 1.0
"""How often the map is read again while a node is down or a key has moved."""
RELAXED_LOOK_S = 30.0
"""How often otherwise."""
LEAST_PAUSE_S = 0.05
"""Between two readings, however much moves."""

Address = tuple[str, int]


class RedisCluster:
    """Like `RedisClient`, for a cluster: a node that fails costs only what it holds.

    The library's own cluster client retries, and reads the map anew in the middle of a command;
    here a command goes to one node, follows one redirect within the time it has, and the map is
    read by a background task.
    """

    def __init__(self, options: RedisOptions, metrics: StoreMetrics | None = None) -> None:
        self.options = options
        self._metrics = _Together(self, metrics or NoMetrics())
        self._place = Place.of(options.url)
        self._nodes: dict[Address, RedisClient] = {}
        self._holders: list[RedisClient | None] = [None] * SLOTS
        for address in self._place.hosts:
            self._open(address)
        self._is_stale = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Reads the map if any node answers; a cluster that is down does not stop the start."""
        if not await self._read_map():
            log.warning("no redis cluster node answers; going on without sessions until one does")
            for node in self.nodes:
                node.open()
        self._watcher = asyncio.create_task(self._watch(), name="redis-cluster-map")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        for node in self._nodes.values():
            await node.__aexit__()

    @property
    def nodes(self) -> Iterable[RedisClient]:
        """The masters; until they are known, the hosts of the URL."""
        return self._nodes.values()

    @property
    def is_up(self) -> bool:
        """Whether every master answered lately."""
        return all(node.is_up for node in self.nodes)

    @property
    def connections(self) -> tuple[int, int]:
        """Connections in use and idle, of all nodes."""
        busy_idle = [node.connections for node in self.nodes]
        return sum(busy for busy, _ in busy_idle), sum(idle for _, idle in busy_idle)

    def node(self, key: bytes) -> RedisClient:
        """The master that holds a key; any node that will name it when it is not known."""
        return self._holders[key_slot(key)] or next(iter(self.nodes))

    async def run_at(
        self,
        key: bytes,
        op: str,
        timeout_s: float,
        work: Callable[[RedisClient], Awaitable[tuple[Reply, str]]],
        ask: Callable[[AskedNode], Awaitable[tuple[Reply, str]]] | None = None,
    ) -> Reply:
        """Does `work` with the master that holds a key; follows one redirect within `timeout_s`.

        Args:
            key: its slot decides.
            op: what is counted.
            timeout_s: for all of it.
            work: gives a reply and an outcome word.
            ask: the same, with the server that is just taking over the slot of the key.

        Raises:
            StoreUnavailable: with the outcome word.
        """
        until_s = time.monotonic() + timeout_s
        node = self.node(key)
        try:
            return await node.run(op, timeout_s, lambda: work(node))
        except StoreUnavailable as error:
            left_s, cause = until_s - time.monotonic(), error.__cause__
            if left_s > 0.0 and ask is not None and is_ask(cause):
                return await self.ask(cause, op, left_s, ask)
            if left_s <= 0.0 or not self.learn(key, cause):
                raise
        holder = self.node(key)
        return await holder.run(op, left_s, lambda: work(holder))

    async def ask(
        self,
        error: object,
        op: str,
        timeout_s: float,
        work: Callable[[AskedNode], Awaitable[tuple[Reply, str]]],
    ) -> Reply:
        """Does `work` with the node that an ASK names; who holds the slot is not changed by it.

        Raises:
            StoreUnavailable: with the outcome word.
        """
        node = self._named(error)
        asked = AskedNode(AskingRedis(node.reads), AskingRedis(node.writes))
        return await node.run(op, timeout_s, lambda: work(asked))

    def learn(self, key: bytes, error: object) -> bool:
        """Notes where a key has moved to; False when the error does not tell."""
        if not isinstance(error, MovedError):
            return False
        self.look_soon()
        self._holders[key_slot(key)] = self._named(error)
        return True

    def look_soon(self) -> None:
        """Somebody was silent, or named another holder: the map may have changed."""
        self._is_stale.set()

    def _named(self, error: Any) -> RedisClient:
        """The node that a redirect names."""
        address = (error.host or self._place.hosts[0][0], error.port)
        return self._nodes.get(address) or self._open(address)

    def _open(self, address: Address) -> RedisClient:
        node = RedisClient(self.options, self._metrics, self._place.at(*address))
        self._nodes[address] = node
        return node

    async def _watch(self) -> None:
        """Reads the map again when a key has moved, while a node is down, and now and then."""
        while True:
            is_calm = self.is_up and None not in self._holders
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELAXED_LOOK_S if is_calm else LOOK_S):
                    await self._is_stale.wait()
            self._is_stale.clear()
            if not await self._read_map():
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(LEAST_PAUSE_S)

    async def _read_map(self) -> bool:
        """Asks the nodes, those that are well first, until one knows who holds what."""
        for address, node in sorted(self._nodes.items(), key=lambda known: not known[1].is_up):
            masters = await _masters(node)
            if masters:
                await self._take(address[0], masters)
                return True
        for address in self._place.hosts:  # everybody we knew is gone: start again from the URL
            if address not in self._nodes:
                self._open(address)
        return False

    async def _take(self, its_host: str, masters: list[tuple[int, int, Address]]) -> None:
        """Uses a map that the node at `its_host` gave; nodes that hold nothing are left."""
        holders: list[RedisClient | None] = [None] * SLOTS
        wanted = set()
        for start, end, (host, port) in masters:
            address = (host or its_host, port)
            wanted.add(address)
            holder = self._nodes.get(address) or self._open(address)
            holders[start : end + 1] = itertools.repeat(holder, end + 1 - start)
        self._holders = holders
        gone = [self._nodes.pop(address) for address in set(self._nodes) - wanted]
        for node in gone:
            await node.__aexit__()
        self._metrics.look()


async def _masters(node: RedisClient) -> list[tuple[int, int, Address]]:
    """First slot, last slot and address of each master as a node sees it; none if it is silent."""
    its = node.options
    try:
        async with asyncio.timeout(its.connect_timeout_s + its.socket_timeout_s):
            reply: Any = await node.reads.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
    except Exception as error:  # the next node may do better
        log.debug("no map of the cluster: %r", error)
        return []
    return [
        (int(start), int(end), ((master[0] or b"").decode(), int(master[1])))
        for start, end, master, *_ in reply
    ]


class _Together:
    """Reports the breakers of all nodes as one: as bad as the worst."""

    WORST_FIRST = (State.OPEN, State.HALF_OPEN, State.CLOSED)

    def __init__(self, cluster: RedisCluster, metrics: StoreMetrics) -> None:
        self._cluster, self._metrics = cluster, metrics
        self._told = State.CLOSED

    def redis_operation(self, op: str, outcome: str, duration_s: float) -> None:
        self._metrics.redis_operation(op, outcome, duration_s)

    def breaker(self, state: str) -> None:
        if state == State.OPEN:
            self._cluster.look_soon()
        self.look()

    def look(self) -> None:
        """Tells when the worst of them is another than before."""
        states = {node.breaker.state for node in self._cluster.nodes}
        worst = next(state for state in self.WORST_FIRST if state in states)
        if worst is not self._told:
            self._told = worst
            self._metrics.breaker(worst)


def open_client(
    options: RedisOptions, metrics: StoreMetrics | None = None
) -> RedisClient | RedisCluster:
    """The client for what the URL names: one server, Sentinels, or a cluster.

    Raises:
        SetupInvalid: the URL cannot be read.
    """
    is_cluster = Place.of(options.url).kind == "cluster"
    return RedisCluster(options, metrics) if is_cluster else RedisClient(options, metrics)

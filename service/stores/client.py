"""A Redis client that is bounded in every wait and guarded by a breaker."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from service.errors import StoreUnavailable
from service.stores.breaker import Breaker
from service.stores.outcomes import NoMetrics, StoreMetrics, classify
from service.stores.places import Place
from service.stores.pools import Bounds, master_finder, open_pool

log = logging.getLogger(__name__)
Reply = TypeVar("Reply")
WRITE_POOL_SIZE = 8
LOOK_S = 1.0
"""While the breaker is open, Sentinels are asked this often whether another master was chosen."""
LATE_LOOP_S = 0.005
"""A timeout that is noticed later than this was caused by a busy event loop."""


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How to reach Redis (`service.stores.places` reads the URL), and how long to wait; seconds."""

    url: str
    connect_timeout_s: float = 0.020
    socket_timeout_s: float = 0.020
    read_timeout_s: float = 0.010
    write_timeout_s: float = 0.200
    pool_size: int = 32
    pool_wait_s: float = 0.005
    breaker_failures: int = 5
    breaker_open_s: float = 1.0
    breaker_open_max_s: float = 30.0

    @property
    def for_reads(self) -> Bounds:
        wait_s, reply_s = self.pool_wait_s, self.socket_timeout_s
        return Bounds(self.pool_size, wait_s, self.connect_timeout_s, reply_s)

    @property
    def for_writes(self) -> Bounds:
        wait_s = reply_s = self.write_timeout_s
        return Bounds(WRITE_POOL_SIZE, wait_s, self.connect_timeout_s, reply_s)

    @property
    def for_health(self) -> Bounds:
        """Asking Sentinels, or a node for the map of its cluster."""
        return Bounds(2, self.socket_timeout_s, self.connect_timeout_s, self.socket_timeout_s)


class RedisClient:
    """One server: two bounded pools, so that writes cannot starve reads, and one breaker.

    With Sentinels it is the server that they name as master whenever a connection is opened.
    While the breaker is open a background task sends one PING per pause; no request ever pays for
    finding out that the server is still down.
    """

    def __init__(
        self,
        options: RedisOptions,
        metrics: StoreMetrics | None = None,
        place: Place | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            options: bounds, and the URL.
            metrics: what is told of every operation.
            place: instead of what the URL says.

        Raises:
            SetupInvalid: the URL cannot be read.
        """
        self.options = options
        self.metrics = metrics or NoMetrics()
        self.breaker = Breaker(
            options.breaker_failures,
            options.breaker_open_s,
            options.breaker_open_max_s,
            self.metrics.breaker,
        )
        place = place or Place.of(options.url)
        self._finder = master_finder(place, options.for_health)
        self.reads = open_pool(place, options.for_reads, self._finder)
        self.writes = open_pool(place, options.for_writes, self._finder)
        self._prober: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Looks whether the server answers; a server that is down does not stop the start."""
        if not await self._probe():
            log.warning("redis does not answer; going on without sessions until it does")
            self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._prober is not None:
            self._prober.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._prober
        await self.reads.aclose(close_connection_pool=True)
        await self.writes.aclose(close_connection_pool=True)
        if self._finder is not None:
            await self._finder.close()

    @property
    def is_up(self) -> bool:
        """Whether it answered lately."""
        return self.breaker.is_closed

    def node(self, key: bytes) -> "RedisClient":
        """The server that holds a key."""
        return self

    def learn(self, key: bytes, error: object) -> bool:
        """Whether an error told where a key has moved to: never, with one server."""
        return False

    async def run_at(
        self,
        key: bytes,
        op: str,
        timeout_s: float,
        work: Callable[["RedisClient"], Awaitable[tuple[Reply, str]]],
        ask: object = None,
    ) -> Reply:
        """Does `work` with the server that holds a key; like `run` otherwise."""
        return await self.run(op, timeout_s, lambda: work(self))

    async def ask(self, error: object, op: str, timeout_s: float, work: object) -> Any:
        """What a redirect to another node comes to, with one server: nothing.

        Raises:
            StoreUnavailable: always.
        """
        raise StoreUnavailable("moved", "redis: a node of a cluster; name it as redis+cluster://")

    async def run(
        self, op: str, timeout_s: float, work: Callable[[], Awaitable[tuple[Reply, str]]]
    ) -> Reply:
        """Does `work`, which gives a reply and an outcome word, within `timeout_s`.

        Raises:
            StoreUnavailable: with the outcome word.
        """
        if not self.breaker.is_closed:
            self.metrics.redis_operation(op, "circuit_open", 0.0)
            raise StoreUnavailable("circuit_open", "redis did not answer lately")
        began_s = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                reply, outcome = await work()
        except Exception as error:  # the edge: no error of the library crosses it
            failure = self._failed(op, error, timeout_s, time.perf_counter() - began_s)
            if failure.outcome == "readonly":  # the name may lead to another server by now
                await self._drop_idle()
            raise failure from error
        if self.breaker.is_closed:  # only the prober closes it
            self.breaker.succeed()
        self.metrics.redis_operation(op, outcome, time.perf_counter() - began_s)
        return reply

    @property
    def connections(self) -> tuple[int, int]:
        """Connections in use and idle."""
        pools: list[Any] = [self.reads.connection_pool, self.writes.connection_pool]
        busy = sum(len(pool._in_use_connections) for pool in pools)
        return busy, sum(len(pool._available_connections) for pool in pools)

    def _failed(
        self, op: str, error: Exception, timeout_s: float, duration_s: float
    ) -> StoreUnavailable:
        if isinstance(error, StoreUnavailable):
            self.metrics.redis_operation(op, error.outcome, duration_s)
            return error
        failure = classify(error)
        is_fair = failure.outcome != "timeout" or self._is_fair(timeout_s, duration_s)
        if failure.is_down and is_fair and self.breaker.is_closed and self.breaker.fail():
            log.warning("redis breaker opens: %s", failure.outcome)
            self._start_prober()
        self.metrics.redis_operation(op, failure.outcome, duration_s)
        return StoreUnavailable(failure.outcome, f"redis: {failure.outcome}")

    def _is_fair(self, timeout_s: float, duration_s: float) -> bool:
        """Whether a timeout is the server's: no hurried caller, and nobody kept us from looking."""
        is_patient = timeout_s >= self.options.read_timeout_s
        return is_patient and duration_s < timeout_s + LATE_LOOP_S

    def open(self) -> None:
        """Stops asking until a probe is answered."""
        self.breaker.trip()
        self._start_prober()

    def _start_prober(self) -> None:
        self._prober = asyncio.create_task(self._recover(), name="redis-prober")

    async def _recover(self) -> None:
        while not self.breaker.is_closed:
            await self._pause()
            self.breaker.half_open()
            if await self._probe():
                self.breaker.succeed()
                log.warning("redis answers again")
            else:
                self.breaker.fail()

    async def _pause(self) -> None:
        """Until the next probe is due, or Sentinels name another master."""
        while (wait_s := self.breaker.wait_s) > 0.0:
            await asyncio.sleep(min(wait_s, LOOK_S) if self._finder else wait_s)
            if self._finder is not None and await self._finder.has_moved():
                await self._drop_idle()
                return

    async def _drop_idle(self) -> None:
        """So that the next operation connects to whatever server it is by now."""
        if self._finder is not None:
            self._finder.forget()
            await self.reads.connection_pool.disconnect(inuse_connections=False)
        await self.writes.connection_pool.disconnect(inuse_connections=False)

    async def _probe(self) -> bool:
        """One PING; it may take as long as connecting and answering may."""
        began_s, outcome = time.perf_counter(), "ok"
        limit_s = self.options.connect_timeout_s + self.options.socket_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self.reads.execute_command("PING")  # type: ignore[no-untyped-call]
        except Exception as error:  # whatever it is, the server is not well
            outcome = classify(error).outcome
        self.metrics.redis_operation("health", outcome, time.perf_counter() - began_s)
        return outcome == "ok"

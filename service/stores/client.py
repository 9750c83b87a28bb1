"""A Redis client that is bounded in every wait and guarded by a breaker."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.errors import SetupInvalid, StoreUnavailable
from service.stores.breaker import Breaker
from service.stores.connections import CONNECTIONS
from service.stores.outcomes import NoMetrics, StoreMetrics, classify

log = logging.getLogger(__name__)
Reply = TypeVar("Reply")
WRITE_POOL_SIZE = 8
LATE_LOOP_S = 0.005
"""A timeout that is noticed later than this was caused by a busy event loop."""


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How to reach Redis, and how long to wait for it; seconds.

    The library's own defaults are fatal on a read path: ten retries and 5 s timeouts made one
    call to a hung server last 59 s.
    """

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


class RedisClient:
    """Two bounded pools, so that a flood of writes cannot starve reads, and one breaker.

    While the breaker is open a background task sends one PING per pause; no request ever pays
    for finding out that the server is still down.
    """

    def __init__(self, options: RedisOptions, metrics: StoreMetrics | None = None) -> None:
        self.options = options
        self.metrics = metrics or NoMetrics()
        self.breaker = Breaker(
            options.breaker_failures,
            options.breaker_open_s,
            options.breaker_open_max_s,
            self.metrics.breaker,
        )
        self.reads = _client(
            options, options.pool_size, options.pool_wait_s, options.socket_timeout_s
        )
        self.writes = _client(
            options, WRITE_POOL_SIZE, options.write_timeout_s, options.write_timeout_s
        )
        self._prober: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Looks whether the server answers; a server that is down does not stop the start."""
        if not await self._probe():
            log.warning("redis does not answer; going on without sessions until it does")
            self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._prober is not None:
            self._prober.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._prober
        await self.reads.aclose(close_connection_pool=True)
        await self.writes.aclose(close_connection_pool=True)

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
                await self.writes.connection_pool.disconnect(inuse_connections=False)
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

    def _open(self) -> None:
        self.breaker.trip()
        self._start_prober()

    def _start_prober(self) -> None:
        self._prober = asyncio.create_task(self._recover(), name="redis-prober")

    async def _recover(self) -> None:
        while not self.breaker.is_closed:
            await asyncio.sleep(self.breaker.wait_s)
            self.breaker.half_open()
            if await self._probe():
                self.breaker.succeed()
                log.warning("redis answers again")
            else:
                self.breaker.fail()

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


def _client(options: RedisOptions, size: int, wait_s: float, reply_s: float) -> Redis:
    scheme = options.url.partition("://")[0]
    if scheme not in CONNECTIONS:
        raise SetupInvalid(
            f"the Redis URL starts with '{scheme}://', which is not supported; "
            "use redis://, rediss:// or unix://"
        )
    try:
        location: dict[str, Any] = {**parse_url(options.url)}
        location["connection_class"] = CONNECTIONS[scheme]
        pool = BlockingConnectionPool(
            **location,
            max_connections=size,
            timeout=wait_s,
            socket_timeout=reply_s,
            socket_connect_timeout=options.connect_timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # no HELLO and no client info: a new connection costs less
            driver_info=None,
        )
    except ValueError as error:
        raise SetupInvalid(f"the Redis URL cannot be read: {error}") from error
    return Redis(connection_pool=pool)

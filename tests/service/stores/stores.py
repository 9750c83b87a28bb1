"""Builds real stores with patient time limits, for tests that are not about time."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.stores.client import RedisClient, RedisOptions
from service.stores.codec import Keep
from service.stores.outcomes import StoreMetrics
from service.stores.redis import RedisSessions

PATIENT_S = 10.0


class Counted:
    """Metrics that remember every operation and every change of the breaker."""

    def __init__(self) -> None:
        self.operations: list[tuple[str, str]] = []
        self.states: list[str] = []

    def redis_operation(self, op: str, outcome: str, duration_s: float) -> None:
        assert duration_s >= 0.0
        self.operations.append((op, outcome))

    def breaker(self, state: str) -> None:
        self.states.append(state)

    def outcomes(self, op: str) -> list[str]:
        return [outcome for known, outcome in self.operations if known == op]


def options(url: str, **changes: float) -> RedisOptions:
    patient: dict[str, float] = {
        "connect_timeout_s": PATIENT_S,
        "socket_timeout_s": PATIENT_S,
        "read_timeout_s": PATIENT_S,
        "write_timeout_s": PATIENT_S,
        "pool_wait_s": PATIENT_S,
    }
    return RedisOptions(url, **{**patient, **changes})  # type: ignore[arg-type]


@asynccontextmanager
async def opened(
    url: str, metrics: StoreMetrics | None = None, **changes: float
) -> AsyncIterator[RedisClient]:
    async with RedisClient(options(url, **changes), metrics) as client:
        yield client


def sessions(client: RedisClient, keep: Keep | None = None) -> RedisSessions:
    return RedisSessions(client, keep or Keep(), time.time)

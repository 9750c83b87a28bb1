"""What people do now, counted by the hour in Redis, by all processes together."""

from collections.abc import Mapping
from typing import Any

from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.keys import trend_key

WRITTEN_AT_ONCE = 2000
READ_MOST = 1000
"""Names of an hour that are read, the heaviest: the event loop never parses a whole catalogue."""


class RedisTrends:
    """Counts over Redis (`service.ports.stores.TrendStore`): one sorted set for each hour."""

    def __init__(self, client: RedisClient | RedisCluster, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s

    async def add(self, hour: int, weights: Mapping[str, float]) -> None:
        """Adds to the counts of an hour.

        Raises:
            StoreUnavailable: perhaps not all of it is counted.
        """
        key, items = trend_key(hour), list(weights.items())
        for start in range(0, len(items), WRITTEN_AT_ONCE):
            part = items[start : start + WRITTEN_AT_ONCE]

            async def send(
                node: RedisClient, part: list[tuple[str, float]] = part
            ) -> tuple[None, str]:
                pipeline = node.writes.pipeline(transaction=False)
                for name, weight in part:
                    pipeline.zincrby(key, weight, name)
                pipeline.expire(key, self._ttl_s)
                await pipeline.execute()
                return None, "ok"

            limit_s = self._client.options.write_timeout_s
            await self._client.run_at(key, "trend_write", limit_s, send)

    async def read(self, hour: int) -> Mapping[str, float]:
        """The heaviest counts of an hour, at most `READ_MOST`.

        Raises:
            StoreUnavailable: not readable.
        """
        key = trend_key(hour)

        async def fetch(node: RedisClient) -> tuple[dict[str, float], str]:
            stored: Any = await node.writes.zrevrange(key, 0, READ_MOST - 1, withscores=True)
            weights = {name.decode(errors="replace"): weight for name, weight in stored}
            return weights, "ok" if stored else "miss"

        limit_s = self._client.options.write_timeout_s
        return await self._client.run_at(key, "trend_read", limit_s, fetch)

"""Stock changes in Redis, shared by all processes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.keys import STOCK, STOCK_VERSION

WRITTEN_AT_ONCE = 1000


class RedisStock:
    """Stock over Redis (`service.ports.stores.StockStore`): a hash, and a count of its changes."""

    def __init__(self, client: RedisClient | RedisCluster) -> None:
        self._client = client
        self._version: object = b""
        self._known: Mapping[str, int] = MappingProxyType({})

    async def write_stock(self, stock: Mapping[str, int]) -> None:
        """Keeps the stock of these items for everybody.

        Raises:
            StoreUnavailable: perhaps not all of it is stored; writing again is safe.
        """
        items = list(stock.items())
        for start in range(0, len(items), WRITTEN_AT_ONCE):
            part: dict[Any, Any] = dict(items[start : start + WRITTEN_AT_ONCE])

            async def send(node: RedisClient, part: dict[Any, Any] = part) -> tuple[None, str]:
                pipeline = node.writes.pipeline(transaction=True)
                pipeline.hset(STOCK, mapping=part)
                pipeline.incr(STOCK_VERSION)
                await pipeline.execute()
                return None, "ok"

            limit_s = self._client.options.write_timeout_s
            await self._client.run_at(STOCK, "stock_write", limit_s, send)

    async def read_stock(self) -> Mapping[str, int]:
        """All stock that was ever written; the same object while nothing has changed.

        Raises:
            StoreUnavailable: not readable.
        """

        async def fetch(node: RedisClient) -> tuple[Mapping[str, int], str]:
            version = await node.writes.get(STOCK_VERSION)
            if version == self._version:
                return self._known, "ok"
            stored: Any = await node.writes.hgetall(STOCK)
            self._known = MappingProxyType(_numbers(stored))
            self._version = version
            return self._known, "ok" if self._known else "miss"

        limit_s = self._client.options.write_timeout_s
        return await self._client.run_at(STOCK, "stock_read", limit_s, fetch)


def _numbers(stored: Mapping[bytes, bytes]) -> dict[str, int]:
    """Foreign entries that are no number count as sold out: never offer what may be gone."""
    numbers = {}
    for item_id, count in stored.items():
        try:
            numbers[item_id.decode(errors="replace")] = int(count)
        except ValueError:
            numbers[item_id.decode(errors="replace")] = 0
    return numbers

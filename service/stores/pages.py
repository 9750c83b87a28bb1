"""What a list has shown, so that the next page continues it: kept in Redis for half an hour."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from service.domain.arrays import Hashes
from service.errors import StoreUnavailable
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.keys import page_key

FLUSH_S = 0.02
"""A list may be continued on another process this long after it was sent."""
WAITING = 5000
"""Lists that wait to be written; those beyond it cannot be continued."""
SHOWN_MOST = 2000
"""The newest items remembered of one list and its pages."""


class RedisPages:
    """Pages over Redis (`service.ports.stores.PageStore`): written behind the answers, in bulk."""

    def __init__(self, client: RedisClient | RedisCluster, ttl_s: int) -> None:
        """Keeps a page for `ttl_s`; 0 keeps none."""
        self._client = client
        self._ttl_s = ttl_s
        self._waiting: dict[str, bytes] = {}

    def remember(self, recommendation_id: str, shown: Hashes) -> None:
        """Keeps what a list and the pages before it have shown."""
        if self._ttl_s and len(self._waiting) < WAITING:
            self._waiting[recommendation_id] = shown[-SHOWN_MOST:].astype("<u8").tobytes()

    async def read(self, recommendation_id: str, timeout_s: float) -> Hashes | None:
        """What a list has shown; None when nobody remembers it.

        Raises:
            StoreUnavailable: not answered in time.
        """
        packed = self._waiting.get(recommendation_id)
        if packed is None:
            packed = await self._fetch(page_key(recommendation_id), timeout_s)
        return None if packed is None else _unpack(packed)

    async def run(self) -> None:
        """Writes what waits, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            if self._waiting:
                with contextlib.suppress(StoreUnavailable):  # these lists cannot be continued
                    await self.flush()

    async def flush(self) -> None:
        """Writes what waits; while it is being written it can still be read here.

        Raises:
            StoreUnavailable: what belongs to some server is not written, and forgotten.
        """
        pages = dict(self._waiting)
        try:
            writes = (self._write(node, its) for node, its in self._by_node(pages).items())
            ends = await asyncio.gather(*writes, return_exceptions=True)
            for error in filter(None, ends):
                raise error
        finally:
            for one in pages:
                del self._waiting[one]

    def _by_node(self, pages: Mapping[str, bytes]) -> dict[RedisClient, dict[bytes, bytes]]:
        by_node: dict[RedisClient, dict[bytes, bytes]] = {}
        for one, packed in pages.items():
            key = page_key(one)
            by_node.setdefault(self._client.node(key), {})[key] = packed
        return by_node

    async def _write(self, node: RedisClient, pages: Mapping[bytes, bytes]) -> None:
        async def send() -> tuple[None, str]:
            pipeline = node.writes.pipeline(transaction=False)
            for key, packed in pages.items():
                pipeline.set(key, packed, ex=self._ttl_s)
            replies = await pipeline.execute(raise_on_error=False)
            for key, reply in zip(pages, replies, strict=True):
                if isinstance(reply, Exception) and not self._client.learn(key, reply):
                    raise reply
            return None, "ok"

        await node.run("page_write", self._client.options.write_timeout_s, send)

    async def _fetch(self, key: bytes, timeout_s: float) -> bytes | None:
        async def fetch(node: RedisClient) -> tuple[bytes | None, str]:
            last = 8 * SHOWN_MOST - 1
            reply: Any = await node.reads.getrange(key, 0, last)
            return (reply, "ok") if reply else (None, "miss")

        return await self._client.run_at(key, "page_read", timeout_s, fetch)


def _unpack(packed: bytes) -> Hashes:
    whole = len(packed) // 8 * 8
    return np.frombuffer(packed[:whole], dtype="<u8").astype(np.uint64)

"""What is said of items, in Redis: a hash of what counts, and a log of how it came about."""

from collections.abc import Iterator, Sequence
from typing import Any

from service.domain.items import ItemChanges, ItemUpdate
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.item_fields import SAID_OF, fields_of, read_fields
from service.stores.keys import ITEM_LOG, ITEMS

LOG_ENTRIES = 20_000
"""Entries kept, about; who missed more reads the hash again."""
WRITTEN_AT_ONCE = 500
READ_AT_ONCE = 1000
START = "0-0"
"""The position before the first entry of a log."""

Entries = list[tuple[bytes, dict[bytes, bytes]]]


class RedisItems:
    """Items over Redis (`service.ports.stores.ItemStore`).

    Every write goes into the hash and into the log in one transaction, so both know the same
    order. Readers ask for the log from the entry that they read last, that one included: as long
    as it is there, nothing behind it can have been dropped.
    """

    def __init__(self, client: RedisClient | RedisCluster) -> None:
        self._client = client
        self._limit_s = client.options.write_timeout_s

    async def write(self, updates: Sequence[ItemUpdate]) -> None:
        """Keeps these for everybody, in this order.

        Raises:
            StoreUnavailable: perhaps not all of it is stored; writing again is safe.
        """
        for start in range(0, len(updates), WRITTEN_AT_ONCE):
            part = [fields_of(update) for update in updates[start : start + WRITTEN_AT_ONCE]]

            async def send(
                node: RedisClient, part: list[dict[str, str]] = part
            ) -> tuple[None, str]:
                pipeline = node.writes.pipeline(transaction=True)
                for fields in filter(None, part):
                    its: dict[Any, Any] = dict(fields)
                    pipeline.hset(ITEMS, mapping=its)
                    pipeline.xadd(ITEM_LOG, its, maxlen=LOG_ENTRIES, approximate=True)
                await pipeline.execute()
                return None, "ok"

            await self._client.run_at(ITEMS, "item_write", self._limit_s, send)

    async def read_all(self) -> ItemChanges:
        """The whole hash, page by page, so that neither side is ever busy with it for long.

        What changes meanwhile is in the log behind the position, which is read first.

        Raises:
            StoreUnavailable: not readable.
        """
        position = await self._newest()
        found: dict[bytes, bytes] = {}
        cursor = 0
        while True:
            cursor, page = await self._page(cursor)
            found.update(page)
            if cursor == 0:
                break
        understood = read_fields(found.items())
        return ItemChanges(understood.updates, position, n_unreadable=understood.n_unreadable)

    async def read_since(self, position: str) -> ItemChanges:
        """The log behind a position; all there is when the entry of that position is gone.

        Raises:
            StoreUnavailable: not readable.
        """
        entries = await self._entries(position)
        if not entries and position == START:
            return ItemChanges((), position)
        if not entries or entries[0][0].decode() != position:
            return await self.read_all()
        updates: list[ItemUpdate] = []
        n_unreadable = 0
        for entry_id, fields in entries[1:]:
            understood = read_fields(fields.items(), _moment(entry_id))
            updates += understood.updates
            n_unreadable += understood.n_unreadable
        updates += await self._said_before(updates)
        return ItemChanges(
            tuple(updates),
            entries[-1][0].decode(),
            tuple(_moment(entry_id) for entry_id, _ in entries[1:]),
            n_unreadable,
            has_more=len(entries) > READ_AT_ONCE,
        )

    async def _said_before(self, updates: Sequence[ItemUpdate]) -> Sequence[ItemUpdate]:
        """What counts of new items, for it may have been said before they were known."""
        ids = dict.fromkeys(update.item_id for update in updates if update.new is not None)
        names = [f"{kind}:{item_id}".encode() for item_id in ids for kind in SAID_OF]
        if not names:
            return ()

        async def fetch(node: RedisClient) -> tuple[list[bytes | None], str]:
            values: Any = await node.writes.hmget(ITEMS, names)
            return values, "ok"

        values = await self._client.run_at(ITEMS, "item_read", self._limit_s, fetch)
        known: Iterator[tuple[bytes, bytes]] = (
            (name, value) for name, value in zip(names, values, strict=True) if value is not None
        )
        return read_fields(known).updates

    async def _newest(self) -> str:
        async def fetch(node: RedisClient) -> tuple[str, str]:
            entries: Any = await node.writes.xrevrange(ITEM_LOG, count=1)
            return (entries[0][0].decode(), "ok") if entries else (START, "miss")

        return await self._client.run_at(ITEM_LOG, "item_read", self._limit_s, fetch)

    async def _page(self, cursor: int) -> tuple[int, dict[bytes, bytes]]:
        async def fetch(node: RedisClient) -> tuple[tuple[int, dict[bytes, bytes]], str]:
            reply: Any = await node.writes.hscan(ITEMS, cursor, count=READ_AT_ONCE)
            return (int(reply[0]), reply[1]), "ok"

        return await self._client.run_at(ITEMS, "item_read", self._limit_s, fetch)

    async def _entries(self, position: str) -> Entries:
        async def fetch(node: RedisClient) -> tuple[Entries, str]:
            entries: Any = await node.writes.xrange(ITEM_LOG, min=position, count=READ_AT_ONCE + 1)
            return entries, "ok"

        return await self._client.run_at(ITEM_LOG, "item_read", self._limit_s, fetch)


def _moment(entry_id: bytes) -> float:
    """Epoch seconds, by the clock of the server."""
    return int(entry_id.partition(b"-")[0]) / 1000

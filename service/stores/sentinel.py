"""Connections that ask Sentinels for the master each time they are opened."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from service.stores.connections import SendsAtOnce, TcpConnection, TlsConnection

KNOWN_FOR_S = 1.0
"""How long an answer is used for further connections: a full pool asks once, not 32 times."""

Address = tuple[str, int]


class MasterFinder:
    """Asks Sentinels, the one that answered last first, where the master is."""

    def __init__(
        self,
        sentinels: Sequence[Redis],
        name: str,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sentinels = list(sentinels)
        self._name, self._patience_s, self._clock = name, patience_s, clock
        self._known: Address | None = None
        self._known_at_s = 0.0

    async def find(self) -> Address:
        """Where the master is.

        Raises:
            ConnectionError: no Sentinel answers and knows it.
        """
        if self._known is None or self._clock() - self._known_at_s > KNOWN_FOR_S:
            self._known = await self._ask()
            self._known_at_s = self._clock()
        return self._known

    def forget(self) -> None:
        """The master did not answer there, or is none any more: the next `find` asks."""
        self._known_at_s = -KNOWN_FOR_S

    async def has_moved(self) -> bool:
        """Whether the Sentinels name another master than the last one."""
        before = self._known
        self.forget()
        try:
            return await self.find() != before
        except (ConnectionError, TimeoutError):
            return False

    async def close(self) -> None:
        for sentinel in self._sentinels:
            await sentinel.aclose(close_connection_pool=True)

    async def _ask(self) -> Address:
        for sentinel in list(self._sentinels):
            self._sentinels.remove(sentinel)  # a silent one is asked last, also when the caller
            self._sentinels.append(sentinel)  # loses patience with it and cancels
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    reply = await self._answer(sentinel)
                if reply:
                    self._sentinels.remove(sentinel)
                    self._sentinels.insert(0, sentinel)
                    return reply[0].decode(), int(reply[1])
        raise ConnectionError(f"no Sentinel answers and knows a master named {self._name}")

    async def _answer(self, sentinel: Redis) -> Any:
        return await sentinel.execute_command(  # type: ignore[no-untyped-call]
            "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name
        )


class FollowsMaster(SendsAtOnce):
    """A connection to whatever server is the master when it is opened."""

    def __init__(self, *, finder: MasterFinder, **options: Any) -> None:
        super().__init__(**options)
        self._finder = finder

    async def _connect(self) -> None:
        self.host, self.port = await self._finder.find()
        try:
            await super()._connect()  # type: ignore[no-untyped-call, safe-super]
        except BaseException:
            self._finder.forget()
            raise


class MasterTcpConnection(FollowsMaster, TcpConnection):
    pass


class MasterTlsConnection(FollowsMaster, TlsConnection):
    pass


MASTER_CONNECTIONS: Mapping[str, type[AbstractConnection]] = MappingProxyType(
    {"redis": MasterTcpConnection, "rediss": MasterTlsConnection}
)
"""By scheme of the place."""

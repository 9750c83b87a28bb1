"""Connections of redis-py that send without waiting."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)

from service.stores.names import Names

UNSENT_BYTES = 65_536
"""What may lie in the transport's buffer; a read never gets there."""


class SendsAtOnce(AbstractConnection):
    """Hands a command to the transport and waits only while a lot is unsent.

    redis-py 8.1 wraps every send in `asyncio.wait_for`. On Python 3.11 that makes a task per
    command, and it swallows a cancellation that arrives in that moment: the caller's own time
    limit is then lost and the read lasts as long as the socket's. Tested in
    `test_a_caller_in_a_hurry_is_never_kept_waiting`.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        parts = command.encode() if isinstance(command, str) else command
        try:
            await self._send([parts] if isinstance(parts, bytes) else parts)
        except BaseException:  # half a command may be out: nobody may use this connection again
            await self.disconnect(nowait=True)
            raise

    async def _send(self, parts: Iterable[bytes]) -> None:
        writer: Any = self._writer
        writer.writelines(parts)
        if writer.transport.get_write_buffer_size() > UNSENT_BYTES:
            async with asyncio.timeout(self.socket_timeout):
                await writer.drain()


class KnowsNames(SendsAtOnce):
    """Connects to any address of its host; a resolver that is gone costs no known host."""

    def __init__(self, *, names: Names, **options: Any) -> None:
        super().__init__(**options)
        self._names, self._address = names, ""

    def _connection_arguments(self) -> Mapping[str, Any]:
        its: Mapping[str, Any] = super()._connection_arguments()  # type: ignore[misc]
        is_tls = "ssl" in its  # then the certificate is compared with the name
        return {**its, "host": self._address} | ({"server_hostname": self.host} if is_tls else {})

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            *others, last = await self._names.find(self.host)
            for self._address in others:
                with contextlib.suppress(ConnectionError):
                    return await self._connect_there()
            self._address = last
            return await self._connect_there()

    async def _connect_there(self) -> None:
        await super()._connect()  # type: ignore[no-untyped-call, safe-super]


class TcpConnection(KnowsNames, Connection):
    pass


class TlsConnection(KnowsNames, SSLConnection):
    pass


class UnixConnection(SendsAtOnce, UnixDomainSocketConnection):
    pass


CONNECTIONS: Mapping[str, type[AbstractConnection]] = MappingProxyType(
    {"redis": TcpConnection, "rediss": TlsConnection, "unix": UnixConnection}
)
"""By URL scheme."""

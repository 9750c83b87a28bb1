"""redis-py's client and pool without what a read in the path of a request does not need."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection


class QuickPool(BlockingConnectionPool):
    """Hands out an idle connection, and takes it back, without a lock or a timer.

    Where there is none, or where others wait already, the library's own way is taken.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._n_waiting = 0

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """A connection that is open and has nothing left to read.

        Raises:
            ConnectionError: all are in use for too long, or none can be opened.
        """
        if self._n_waiting or not self._available_connections:
            return await self._wait()
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            if not connection.is_connected or await connection.can_read():
                await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def _wait(self) -> AbstractConnection:
        self._n_waiting += 1
        try:
            found: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]
            return found
        finally:
            self._n_waiting -= 1

    async def release(self, connection: AbstractConnection) -> None:
        if self._n_waiting or connection.should_reconnect():  # type: ignore[no-untyped-call]
            await super().release(connection)
            return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)


class QuickRedis(Redis):
    """Sends a command once, and reads its reply."""

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """The reply; a connection on which anything goes wrong is closed by redis-py itself."""
        pool = self.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_command(*command))
            return await self.parse_response(connection, command[0], **options)
        finally:
            await pool.release(connection)

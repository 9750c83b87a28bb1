"""A TCP proxy that can be slow or silent, in front of a real server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Forwards to 127.0.0.1:`port`; replies are delayed by `delay_s`."""

    def __init__(self, port: int, delay_s: float) -> None:
        self.target, self.delay_s = port, delay_s
        self.port = 0
        self.opened = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(
                    self._forward(reader, up_writer, 0.0),
                    self._forward(up_reader, writer, self.delay_s),
                )
        finally:
            self._tasks.discard(task)
            up_writer.close()
            writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await asyncio.sleep(delay_s)
                writer.write(data)
            writer.close()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxy(
    port: int, delay_s: float, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    """A started one; with `tls` it speaks TLS to its clients."""
    between = Proxy(port, delay_s)
    listener = await asyncio.start_server(between.accept, "127.0.0.1", 0, ssl=tls)
    between.port = listener.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        listener.close()
        await between.close()

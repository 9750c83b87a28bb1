"""A real HTTP server of a few lines whose every answer a test decides."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress

Answer = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"


class Server:
    """Counts connections and requests; runs in a thread of its own."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connections = self.requests = 0
        self.url = ""
        self.listener: asyncio.Server | None = None

    async def listen(self) -> None:
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ends = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with suppress(*ends), closing(writer):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                self.requests += 1
                await self._answer(self, writer)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """Runs a server until the end of the block."""
    server, loop = Server(answer), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.listen(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: Server) -> None:
    assert server.listener is not None
    server.listener.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

"""A TCP proxy in a thread of its own, between the service and Redis, that misbehaves on demand."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TURNS = 5


class Switch:
    """Forwards to 127.0.0.1:`port`; may be slow, silent, or refuse, from one moment to the next.

    `opened` counts connections, `sent` the chunks of bytes that clients sent.
    """

    def __init__(self, port: int) -> None:
        self.target, self.port = port, 0
        self.delay_s = 0.0
        self.opened = self.sent = 0
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def is_listening(self) -> bool:
        return self._listener is not None

    def start(self) -> None:
        self._thread.start()
        self._do(self._listen)
        self.resume()

    def hang(self) -> None:
        """Takes connections and commands, and forwards nothing."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def resume(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def refuse(self) -> None:
        """Nobody listens any more, and what was connected is cut."""
        self._do(self._cut)

    def accept(self) -> None:
        self._do(self._listen)

    def close(self) -> None:
        self.refuse()
        self._do(self._cancel_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Callable[[], object]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(10.0)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._listener is not None:
            for listening in self._listener.sockets:
                self._loop.remove_reader(listening.fileno())
            for _ in range(TURNS):  # what was just accepted would be left open by a closed server
                await asyncio.sleep(0)
            self._listener.close()
            self._listener = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers |= {writer, up_writer}
            await asyncio.gather(
                self._forward(reader, up_writer, is_sent=True),
                self._forward(up_reader, writer, is_sent=False),
            )
        writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_sent: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                self.sent += is_sent
                await self._flowing.wait()
                if not is_sent and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
        writer.close()
        self._writers.discard(writer)


@contextmanager
def switch(port: int) -> Iterator[Switch]:
    between = Switch(port)
    between.start()
    try:
        yield between
    finally:
        between.close()

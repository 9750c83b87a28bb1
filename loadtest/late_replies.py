"""A TCP proxy before Redis whose replies come late: `python -m loadtest.late_replies`.

Arguments: the port to listen on, the port to forward to, and a file that says by how many seconds
replies are late; it is read again for each of them.
"""

import asyncio
import contextlib
import selectors
import sys
from pathlib import Path

CHUNK_BYTES = 65_536


def seconds(delay: Path) -> float:
    return float(delay.read_text())


def exact_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timers keep to microseconds: epoll's round up."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Path | None
) -> None:
    """Passes everything on, until one end closes."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            if delay is not None:
                await asyncio.sleep(seconds(delay))
            writer.write(data)
    writer.close()


async def main(listen: int, target: int, delay: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(forward(reader, up_writer, None), forward(up_reader, writer, delay))

    server = await asyncio.start_server(accept, "127.0.0.1", listen)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))

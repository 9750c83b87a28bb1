"""The staged side: answers samples of live requests, and tells how its lists differ."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.shadow.comparison import Comparison
from service.shadow.reports import keep_report
from service.shadow.samples import Answered, Sample, as_line, decode_sample
from service.shadow.sockets import LINE_BYTES, socket_of

log = logging.getLogger(__name__)

WAITING_MAX = 64
PATIENCE_MS = 1000.0
"""Nobody waits for a replay, and the live release goes first: being late is no fault of it."""

Recommend = Callable[[Request, Trace], Awaitable[Recommendation]]
"""A read path that only reads."""


class Replayer:
    """Answers one sample after the other."""

    def __init__(self, release: str, recommend: Recommend) -> None:
        self._release = release
        self._recommend = recommend
        self._waiting: asyncio.Queue[Sample] = asyncio.Queue(WAITING_MAX)
        self._comparison = Comparison()
        self._since_s = time.time()
        self._failed = 0
        self._dropped = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: samples come, or somebody asks for the report."""
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if message["do"] == "report":
                    writer.write(as_line(self.report()))
                else:
                    self.take(message)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("a line on the shadow socket makes no sense: %s", type(error).__name__)
        finally:
            self._writers.discard(writer)
            writer.close()

    def take(self, message: dict[str, Any]) -> None:
        """Queues a sample; what cannot wait any more is dropped and counted."""
        self._dropped += int(message["dropped"])
        try:
            self._waiting.put_nowait(decode_sample(message))
        except asyncio.QueueFull:
            self._dropped += 1

    async def run(self) -> None:
        """Answers samples until cancelled."""
        while True:
            sample = await self._waiting.get()
            try:
                self._comparison.add(sample, await self._answer(sample))
            except Exception as error:
                self._failed += 1
                log.warning("a replayed request failed: %s", type(error).__name__)

    async def _answer(self, sample: Sample) -> Answered:
        trace = Trace("shadow")
        request = replace(sample.request, timeout_ms=PATIENCE_MS)
        return Answered.of(await self._recommend(request, trace), trace)

    def close(self) -> None:
        """Hangs up."""
        for writer in self._writers:
            writer.close()

    def report(self) -> dict[str, object]:
        """What was found so far."""
        return {
            "release": self._release,
            "since_s": round(self._since_s, 3),
            **self._comparison.document(),
            "failed": self._failed,
            "dropped": self._dropped,
        }


@asynccontextmanager
async def listening(folder: Path, release: str, recommend: Recommend) -> AsyncIterator[None]:
    """Listens for samples at the socket of a release; only this user can connect.

    Of several workers of one release the first does; the others have nothing to do here.
    """
    path = socket_of(folder, release)
    with _lock(path.with_suffix(".lock")) as is_first:
        if not is_first:
            yield
            return
        replayer = Replayer(release, recommend)
        server = await asyncio.start_unix_server(replayer.talk, sock=_bound(path), limit=LINE_BYTES)
        task = asyncio.create_task(replayer.run())
        try:
            yield
        finally:
            path.unlink()
            server.close()
            replayer.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            keep_report(folder, replayer.report())


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a worker that died
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    return listener


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether nobody else holds it; it ends with whoever holds it, however that ends."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(file)

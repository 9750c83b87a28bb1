"""The live side: draws requests after they are answered, and sends them to staged releases."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from pathlib import Path

from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.shadow.reports import ask_report
from service.shadow.samples import Answered, Sample, as_line, encode_sample
from service.shadow.sockets import socket_of, sockets_in

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often staged releases are looked for."""
WAITING_MAX = 64
UNSENT_BYTES_MAX = 2**18
"""With more than this unread, a staged release gets nothing new."""

Told = Callable[[str], None]
"""Is told `sent` or `dropped` for every request that was drawn."""


class Sampler:
    """Sends a share of the answered requests to whoever listens in `folder`.

    Offering costs a live request one draw and, if it is drawn, a place in a queue; everything else
    happens afterwards. What does not fit is dropped and counted, and nothing is ever waited for.
    """

    def __init__(self, folder: Path | None, share: float, release: str, told: Told) -> None:
        """Sends nothing before `run`.

        Args:
            folder: where staged releases listen; None where there can be none.
            share: of the requests, 0 to 1.
            release: the own one, which nothing is sent to.
            told: see `Told`.
        """
        self._folder = folder
        self._share = share
        self._release = release
        self._told = told
        self._writers: dict[Path, asyncio.StreamWriter] = {}
        self._waiting: asyncio.Queue[Sample] = asyncio.Queue(WAITING_MAX)
        self._dropped = 0

    def offer(self, request: Request, answer: Recommendation, trace: Trace) -> None:
        """Draws a request that was answered; at once, and without ever failing."""
        if not self._writers or random.random() >= self._share:
            return
        answered = Answered.of(answer, trace)
        try:
            self._waiting.put_nowait(Sample(request, answer.segment, answer.release, answered))
        except asyncio.QueueFull:
            self._drop()

    async def report(self, release: str) -> dict[str, object] | None:
        """What a staged release found; None where nothing was replayed against it."""
        return None if self._folder is None else await ask_report(self._folder, release)

    async def run(self) -> None:
        """Looks for staged releases and sends to them, until cancelled."""
        if self._folder is None or not self._share:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look(self._folder))
                tasks.create_task(self._send())
        finally:
            for writer in self._writers.values():
                writer.close()

    async def _look(self, folder: Path) -> None:
        own = socket_of(folder, self._release)
        while True:
            for path in sockets_in(folder) - {own, *self._writers}:
                with contextlib.suppress(OSError):  # the family died, or is not ready
                    _, self._writers[path] = await asyncio.open_unix_connection(path)
            await asyncio.sleep(LOOK_S)

    async def _send(self) -> None:
        while True:
            sample = await self._waiting.get()
            self._writers = {p: w for p, w in self._writers.items() if not w.is_closing()}
            try:
                self._write(sample)
            except Exception as error:  # whatever is wrong with a sample: the next may be better
                log.warning("a sample could not be sent: %s", type(error).__name__)
                self._drop()

    def _write(self, sample: Sample) -> None:
        line = as_line({"do": "replay", "dropped": self._dropped, **encode_sample(sample)})
        self._dropped = 0
        for writer in self._writers.values():
            if writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
                self._drop()
            else:
                writer.write(line)
                self._told("sent")

    def _drop(self) -> None:
        self._dropped += 1
        self._told("dropped")

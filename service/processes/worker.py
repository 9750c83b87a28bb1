"""A worker: forked from a host that has loaded a release, it answers until it is told to leave."""

import asyncio
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import uvloop

from service.app import create_app, start
from service.ports.serving import Release
from service.processes.control import LINE_BYTES, ControlClient, decode, encode
from service.processes.doors import Doors
from service.processes.linux import name_process
from service.processes.orders import ACCEPT, QUIT, RETIRE, STOP
from service.settings.tree import Settings
from service.wiring.parts import Seat, open_parts
from service.wiring.shadow import open_shadow


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is made of: all of it is there before the fork, and shared until written to."""

    settings: Settings
    release: Release
    listener: socket.socket
    control: Path
    family: int


def run_worker(worker: Worker) -> None:
    """Answers; returns when it has left. Everything that runs or is connected is made here."""
    name_process("sightline-work")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(worker))


async def _run(worker: Worker) -> None:
    reader, writer = await asyncio.open_unix_connection(worker.control, limit=LINE_BYTES)
    orders = Orders(reader, writer)
    orders.tell("hello", role="worker", family=worker.family, pid=os.getpid())
    seat = Seat(worker.release, ControlClient(worker.control), worker.control.parent)
    async with open_parts(worker.settings, seat) as parts:
        edge = create_app(worker.settings, parts)
        await start(parts)
        orders.tell("ready")
        times = worker.settings.processes
        doors = Doors(edge, worker.listener, times.drain_s)
        async with open_shadow(worker.settings, seat, seat.run):
            word = await orders.next()
        if word == ACCEPT:
            parts.metrics.release_live(worker.release)
            await doors.open()
            orders.tell("accepting")
            word = await orders.next()
        if word == STOP:
            edge.access.leave()
        hurrying = asyncio.create_task(_hurry(orders, doors, word))
        await doors.shut(times.linger_s if word == STOP else 0.0, is_last=word != RETIRE)
        orders.tell("shut")
        await doors.leave(times.drain_idle_s)
        hurrying.cancel()
    writer.close()


async def _hurry(orders: "Orders", doors: Doors, word: str) -> None:
    """Whoever was told to take its time may be told to quit meanwhile."""
    while word != QUIT:
        word = await orders.next()
    doors.hurry()


class Orders:
    """What the supervisor says to a worker, and hears from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_alone = False

    def tell(self, tell: str, **words: object) -> None:
        self._writer.write(encode({"tell": tell, **words}))

    async def next(self) -> str:
        """The next order; a supervisor that is gone has no use for workers."""
        try:
            line = await self._reader.readline()
        except OSError:
            line = b""
        if not line and self._is_alone:
            await asyncio.Event().wait()  # it was said once
        self._is_alone = not line
        return str(decode(line)["tell"]) if line else STOP

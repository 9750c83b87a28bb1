"""An open loop in a process of its own, so that nothing else delays it."""

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from loadtest.calls import Calls
from loadtest.open_loop import Check, Driver, drive, is_2xx
from loadtest.processes import LoadTestFailed

FOREVER_S = 86_400.0
END_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, where to, how often a second, and how answers are judged."""

    url: str
    requests: Sequence[bytes]
    per_s: float
    check: Check = is_2xx


class Background:
    """A load that goes on until it is stopped."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def stop(self) -> Calls:
        """Ends the load; gives all its calls.

        Raises:
            LoadTestFailed: the driver ended by itself.
        """
        self._pipe.send("stop")
        try:
            if not self._pipe.poll(END_S):
                raise LoadTestFailed("the driver does not end")
            calls: Calls = self._pipe.recv()
        except EOFError:
            raise LoadTestFailed("the driver ended by itself; is the service there?") from None
        return calls


@contextmanager
def background(load: Load) -> Iterator[Background]:
    """Drives a load from a spawned process for as long as the block runs."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_drive, args=(load, there), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(END_S):
            raise LoadTestFailed("the driver does not start")
        here.recv()
        yield Background(here)
    finally:
        process.kill()
        process.join()


def _drive(load: Load, pipe: Connection) -> None:
    driver = Driver(load.url, load.requests, load.per_s, check=load.check)

    def wait() -> None:
        pipe.recv()
        driver.stop()

    pipe.send("started")
    threading.Thread(target=wait, daemon=True).start()
    pipe.send(drive(driver, FOREVER_S))

"""Requests at a constant rate, whether or not answers keep up, over connections kept alive.

Time runs from the instant at which a request should have left, so that a stall of the service, or
of this driver, is not hidden (coordinated omission). One driver sends a few thousand a second.
"""

import asyncio
import random
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence

from loadtest.calls import Calls, Outcome, Request
from loadtest.client import Answer, address, split

CLIENTS = 64
TIMEOUT_S = 5.0
SWEEP_S = 0.1


Check = Callable[[int, Answer], tuple[Outcome, str]]
"""Judges the answer to the request of a number, and names who gave it."""


def is_2xx(_: int, answer: Answer) -> tuple[Outcome, str]:
    """The check of those who look at nothing but the status."""
    return Outcome.OK if answer.status // 100 == 2 else Outcome.STATUS, ""  # noqa: PLR2004


class _Lane(asyncio.Protocol):
    """One connection; at most one request is under way on it."""

    def __init__(self, driver: "Driver") -> None:
        self._driver, self._data = driver, b""
        self.request: Request | None = None
        self.sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: Request, content: bytes) -> None:
        self.request, self.sent_s = request, time.monotonic()
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        self._data += data
        answer = split(self._data)
        if answer is None or self.request is None:
            return
        request, self.request, self._data = self.request, None, b""
        self._driver.answered(self, request, answer)

    def eof_received(self) -> None:
        self._driver.retire(self)

    def connection_lost(self, exc: Exception | None) -> None:
        request, self.request = self.request, None
        self._driver.lost(self, request)


class Driver:
    """Sends `requests` in turn, one every 1 / `per_s` seconds, until it is stopped.

    There are so many clients, and one of those that are idle is taken at random: most connections
    are silent for a while, some for long. A client whose connection has ended, or was answered
    with `Connection: close`, makes another one for its next request, which is part of the call.
    """

    def __init__(
        self,
        url: str,
        requests: Sequence[bytes],
        per_s: float,
        clients: int = CLIENTS,
        check: Check = is_2xx,
    ) -> None:
        self.calls = Calls()
        self._url, self._requests, self._per_s, self._check = url, requests, per_s, check
        self._idle: list[_Lane | None] = [None] * clients
        self._busy: set[_Lane] = set()
        self._waiting: deque[Request] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._random = random.Random(1)
        self._is_stopped = False

    async def run(self, seconds: float) -> Calls:
        """Drives until the time is over or `stop` is called, then waits for what is under way."""
        started_s, sent = time.monotonic(), 0
        while sent < self._per_s * seconds and not self._is_stopped:
            due_s = started_s + sent / self._per_s
            if (wait_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            self._waiting.append(Request(sent, due_s, time.monotonic()))
            self._send_waiting()
            sent += 1
            if sent % max(1, int(SWEEP_S * self._per_s)) == 0:
                self._sweep()
        while len(self.calls.ms) < sent:
            await asyncio.sleep(SWEEP_S)
            self._sweep()
        for lane in self._idle:
            if lane is not None:
                lane.transport.close()
        return self.calls

    def stop(self) -> None:
        self._is_stopped = True

    def _send_waiting(self) -> None:
        while self._waiting and self._idle:
            at = self._random.randrange(len(self._idle))
            self._idle[at], self._idle[-1] = self._idle[-1], self._idle[at]
            lane, request = self._idle.pop(), self._waiting.popleft()
            if lane is not None:
                self._send(lane, request)
                continue
            task = asyncio.get_running_loop().create_task(self._connect_and_send(request))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _send(self, lane: _Lane, request: Request) -> None:
        self._busy.add(lane)
        lane.send(request, self._requests[request.number % len(self._requests)])

    async def _connect_and_send(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, lane = await loop.create_connection(lambda: _Lane(self), *address(self._url))
        except OSError:
            self.calls.note(request, Outcome.REFUSED)
            self._idle.append(None)
        else:
            self._send(lane, request)

    def answered(self, lane: _Lane, request: Request, answer: Answer) -> None:
        """Takes what a lane received."""
        self.calls.note(request, *self._check(request.number, answer))
        if b"connection: close" in answer.head:
            lane.transport.close()
            return
        self._busy.discard(lane)
        self._idle.append(lane)
        self._send_waiting()

    def lost(self, lane: _Lane, request: Request | None) -> None:
        """Lets the client of a lane that has ended make another one."""
        if request is not None:
            self.calls.note(request, Outcome.LOST)
        if lane in self._busy:
            self._busy.discard(lane)
            self._idle.append(None)
        self.retire(lane)
        self._send_waiting()

    def retire(self, lane: _Lane) -> None:
        """Sends nothing more on a lane: its client has seen that it ends."""
        if lane in self._idle:
            self._idle[self._idle.index(lane)] = None

    def _sweep(self) -> None:
        late_s = time.monotonic() - TIMEOUT_S
        while self._waiting and self._waiting[0].due_s < late_s:
            self.calls.note(self._waiting.popleft(), Outcome.TIMEOUT)
        for lane in [lane for lane in self._busy if lane.sent_s < late_s]:
            request, lane.request = lane.request, None
            if request is not None:
                self.calls.note(request, Outcome.TIMEOUT)
            lane.transport.abort()


def drive(driver: Driver, seconds: float) -> Calls:
    """Runs a driver in a loop of its own, whose timers keep to microseconds: epoll's round up."""

    def loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(selectors.SelectSelector())

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(driver.run(seconds))

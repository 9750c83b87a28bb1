"""HTTP/1.1 clients that cost little: one connection in a closed loop, many in an open loop."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from loadtest.processes import LoadTestFailed

OK = 200


def address(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def encode(path: str, body: Mapping[str, object]) -> bytes:
    """A POST request as it goes over the wire."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def split(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of an answer with a content-length, None while it is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    if len(data) < end + 4 + length:
        return None
    return int(head[9:12]), data[end + 4 : end + 4 + length]


class Connection:
    """One blocking keep-alive connection."""

    def __init__(self, url: str) -> None:
        self._socket = socket.create_connection(address(url), timeout=10.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> bytes:
        """Sends an encoded request; returns the body.

        Raises:
            LoadTestFailed: the status is not 200, or the connection ended.
        """
        self._socket.sendall(request)
        data = b""
        while (answer := split(data)) is None:
            more = self._socket.recv(65_536)
            if not more:
                raise LoadTestFailed("the connection ended within an answer")
            data += more
        if answer[0] != OK:
            raise LoadTestFailed(f"status {answer[0]}: {answer[1][:300]!r}")
        return answer[1]

    def timed(self, request: bytes) -> float:
        """Milliseconds from sending to the whole answer."""
        started = time.perf_counter()
        self.send(request)
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        self._socket.close()


class _Lane(asyncio.Protocol):
    """One connection of the open loop; at most one request is under way on it."""

    def __init__(self) -> None:
        self._data = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        answer = split(self._data)
        if answer is not None and self._answer is not None:
            self._data = b""
            self._answer.set_result(answer[0])
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    def send(self, request: bytes) -> asyncio.Future[int]:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer


async def open_loop(
    url: str, requests: Sequence[bytes], per_s: float, seconds: float, connections: int = 64
) -> tuple[list[float], int]:
    """Sends at a constant rate, whether or not answers keep up.

    Returns:
        Milliseconds from the *intended* instant of sending to the answer, and the errors.
    """
    loop, (host, port) = asyncio.get_running_loop(), address(url)
    lanes: asyncio.LifoQueue[_Lane] = asyncio.LifoQueue()
    for _ in range(connections):
        _, lane = await loop.create_connection(_Lane, host, port)
        lanes.put_nowait(lane)
    durations_ms: list[float] = []
    failed: list[int] = []

    async def one(number: int, due: float) -> None:
        lane = await lanes.get()
        status = await lane.send(requests[number % len(requests)])
        lanes.put_nowait(lane)
        durations_ms.append((time.perf_counter() - due) * 1000)
        if status != OK:
            failed.append(status)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(per_s * seconds)):
            due = started + number / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(number, due))
    while not lanes.empty():
        lanes.get_nowait().transport.close()
    return durations_ms, len(failed)

"""HTTP/1.1 by hand, for clients that cost little: what goes over the wire, and one connection."""

import json
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple
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


class Answer(NamedTuple):
    """One whole HTTP answer; the head in lower case."""

    status: int
    head: bytes
    body: bytes


def split(data: bytes) -> Answer | None:
    """An answer with a content-length, None while it is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    if len(data) < end + 4 + length:
        return None
    return Answer(int(head[9:12]), head, data[end + 4 : end + 4 + length])


class Connection:
    """One blocking keep-alive connection."""

    def __init__(self, url: str) -> None:
        self._socket = socket.create_connection(address(url), timeout=10.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def ports(self) -> tuple[int, int]:
        """Of this end, and of the service's."""
        return self._socket.getsockname()[1], self._socket.getpeername()[1]

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
        if answer.status != OK:
            raise LoadTestFailed(f"status {answer.status}: {answer.body[:300]!r}")
        return answer.body

    def timed(self, request: bytes) -> float:
        """Milliseconds from sending to the whole answer."""
        started = time.perf_counter()
        self.send(request)
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        self._socket.close()

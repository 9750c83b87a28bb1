"""One HTTP exchange as the routes see it: a bounded request, and one way to answer."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from service.api.problems import (
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    DeadlineExpired,
    InvalidFields,
    UnsupportedMediaType,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

SCOPE_KEY = "sightline.exchange"
JSON: Header = (b"content-type", b"application/json")
BODY_TIMEOUT_S = 10.0
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
LEAST_MS = 2.0
"""With less time left no answer can be made: refused before any work."""


class Exchange:
    """Made by the edge for every request; routes read the body through it and answer with it."""

    __slots__ = (
        *("facts", "headers", "is_started", "receive", "release", "request_id", "route"),
        *("send", "started_s", "status"),
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        self.send = send
        self.request_id = ""
        self.release = b""
        self.route: str | None = None
        self.status = 0
        self.facts: Mapping[str, object] | None = None
        self.is_started = False
        self.started_s = time.perf_counter()

    async def body(self, limit_bytes: int) -> bytes:
        """The whole body, of plain JSON, never more than `limit_bytes` of it in memory.

        Raises:
            UnsupportedMediaType: another content type, or a content encoding.
            BodyTooLarge: by its Content-Length, or as soon as it is.
            BodyTimeout: not complete within 10 s.
            ClientGone: the caller hung up.
        """
        self._check_media_type()
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit_bytes:
            raise BodyTooLarge(f"at most {limit_bytes} bytes are read")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await self._read(limit_bytes)
        except TimeoutError:
            raise BodyTimeout(f"it must be complete within {BODY_TIMEOUT_S:g} s") from None

    async def optional_body(self, limit_bytes: int) -> bytes:
        """The body, or `{}` where none is sent; raises as `body` does."""
        headers = self.headers
        if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
            return b"{}"
        return await self.body(limit_bytes)

    async def _read(self, limit_bytes: int) -> bytes:
        body = b""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > limit_bytes:
                raise BodyTooLarge(f"at most {limit_bytes} bytes are read")
            if not message.get("more_body", False):
                return body

    def _check_media_type(self) -> None:
        kind = self.headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
        if kind != b"application/json":
            raise UnsupportedMediaType("send the header Content-Type: application/json")
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType("send the body without a Content-Encoding")

    def time_left_ms(self, asked_ms: float) -> float:
        """The time for an answer: what was asked for, or what X-Request-Timeout-Ms leaves of it.

        Raises:
            InvalidFields: the header is no number.
            DeadlineExpired: less than 2 ms are left.
        """
        header = self.headers.get(b"x-request-timeout-ms")
        if header is None:
            return asked_ms
        try:
            left_ms = float(header) - (time.perf_counter() - self.started_s) * 1000
        except ValueError:
            raise InvalidFields([(TIMEOUT_HEADER, "must be a number of milliseconds")]) from None
        if not math.isfinite(left_ms):
            raise InvalidFields([(TIMEOUT_HEADER, "must be a finite number of milliseconds")])
        if left_ms < LEAST_MS:
            raise DeadlineExpired(f"{TIMEOUT_HEADER} left less than {LEAST_MS:g} ms")
        return min(asked_ms, left_ms)

    async def answer(self, status: int, body: bytes, *headers: Header) -> None:
        """Sends the whole answer."""
        self.status = status
        self.is_started = True
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *headers,
                    (b"content-length", str(len(body)).encode()),
                    *self._own_headers(),
                ],
            }
        )
        await self.send({"type": "http.response.body", "body": body})

    async def pass_on(self, message: Message) -> None:
        """Sends what somebody else answers, with our headers on it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.is_started = True
            message = {**message, "headers": [*message["headers"], *self._own_headers()]}
        await self.send(message)

    def _own_headers(self) -> tuple[Header, ...]:
        """What every answer carries, problems included: its id, and the release while one is live.

        A list is of the release that it was made from; anything else of the live one.
        """
        request_id = (b"x-request-id", self.request_id.encode())
        return (request_id, (b"x-release", self.release)) if self.release else (request_id,)

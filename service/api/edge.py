"""The outermost ASGI layer: request ids, limits, counting, and the last resort for errors."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

from service.api.exchange import SCOPE_KEY, Exchange, Header, Receive, Scope, Send
from service.api.parts import Access
from service.api.problems import (
    INTERNAL,
    MEDIA_TYPE,
    ClientGone,
    HeadersTooLarge,
    UriTooLong,
    encode_problem,
    headers_of,
    problem_of,
)
from service.errors import NotReady
from service.monitoring.logs import RequestLog
from service.monitoring.metrics import Metrics
from service.monitoring.spec import UNMATCHED
from service.ports.serving import Releases

log = logging.getLogger(__name__)

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Lane = Mapping[tuple[str, str], Asgi]
"""(method, path) -> endpoint."""

URI_BYTES_MAX = 8192
HEADER_BYTES_MAX = 16_384
HEADERS_MAX = 64
CLIENT_GONE = 499
SERVICE_UNAVAILABLE = 503
QUIET = frozenset(
    {
        *("/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"),
        *("/metrics", "/docs", "/docs/oauth2-redirect", "/openapi.json"),
    }
)
"""Probes and documents are not counted by route."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Edge:
    """Wraps the application; everything that is HTTP passes here once.

    Requests for a path of the `lane` go straight to its endpoint: for them the application's
    router and its middleware would cost as much as the whole rest of the framework.
    """

    def __init__(self, app: Asgi, lane: Lane, access: Access, request_log: RequestLog) -> None:
        self._app = app
        self._lane = lane
        self.access = access
        self._log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts = self.access.parts
        metrics = parts.metrics
        exchange = scope[SCOPE_KEY] = Exchange(scope, receive, send)
        exchange.request_id = _request_id(exchange.headers)
        exchange.release = _live(parts.releases)
        metrics.request_started()
        try:
            await self._serve(exchange, scope)
        except Exception as error:
            await _fail(exchange, error, metrics)
        finally:
            self._finish(exchange, scope, metrics)

    async def _serve(self, exchange: Exchange, scope: Scope) -> None:
        _check_size(scope)
        endpoint = self._lane.get((scope["method"], scope["path"]))
        if endpoint is not None:
            await endpoint(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, exchange.receive, exchange.pass_on)

    def _finish(self, exchange: Exchange, scope: Scope, metrics: Metrics) -> None:
        if scope["path"] in QUIET:
            metrics.request_unlisted()
            return
        route = str(exchange.route or getattr(scope.get("route"), "path", UNMATCHED))
        duration_s = time.perf_counter() - exchange.started_s
        metrics.request_finished(route, scope["method"], exchange.status, duration_s)
        self._log.line(route, exchange.request_id, exchange.status, duration_s, exchange.facts)


async def _fail(exchange: Exchange, error: Exception, metrics: Metrics) -> None:
    """Counts an error and answers it, unless an answer is already on its way."""
    if isinstance(error, ClientGone):
        exchange.status = CLIENT_GONE
        metrics.disconnected()
        return
    problem = problem_of(error)
    if problem is INTERNAL:
        metrics.unhandled()
        log.error("request %s failed", exchange.request_id, exc_info=error)
    elif problem.status == SERVICE_UNAVAILABLE:
        metrics.shed(problem.reason)
    else:
        metrics.rejected(problem.reason)
    if not exchange.is_started:
        body = encode_problem(error, exchange.request_id)
        headers: tuple[Header, ...] = ((b"content-type", MEDIA_TYPE), *headers_of(error))
        await exchange.answer(problem.status, body, *headers)


def _live(releases: Releases) -> bytes:
    """The name of the live release, empty without one."""
    try:
        return releases.live.name.encode()
    except NotReady:
        return b""


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's id when it is safe to echo and to log, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return secrets.token_hex(16)


def _check_size(scope: Scope) -> None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URI_BYTES_MAX:
        raise UriTooLong(f"at most {URI_BYTES_MAX} bytes are read")
    headers = scope["headers"]
    n_bytes = 0
    for name, value in headers:
        n_bytes += len(name) + len(value)
    if len(headers) > HEADERS_MAX or n_bytes > HEADER_BYTES_MAX:
        raise HeadersTooLarge(f"at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all")

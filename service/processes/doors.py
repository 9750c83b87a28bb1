"""How a worker lets connections in, and how it leaves without losing a request."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

KEEP_ALIVE_S = 75
"""Longer than the pools of callers and proxies keep connections: they close first, no race."""
CLOSE = (b"connection", b"close")
POLL_S = 0.02
FULL_PAUSE_S = 0.5
"""How long nobody is let in when the process has no file descriptor left."""
FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


log = logging.getLogger(__name__)


def _http(app: object) -> uvicorn.Config:
    """How HTTP is spoken."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="httptools",  # h11 accepts requests that proxies read differently
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,  # counts from when the doors have been shut long enough
    )


class Server(uvicorn.Server):
    """uvicorn, but signals are not its business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Doors:
    """Lets connections of a shared listening socket in, and out again.

    One connection is taken per turn of the loop, so that several workers that wake for the same
    burst share it. A connection that nobody has taken yet belongs to all: whoever leaves just stops
    taking, and loses none.
    """

    def __init__(self, app: object, listener: socket.socket, limit_s: float) -> None:
        self._config = _http(app)
        self._server = Server(self._config)
        self._listener = listener
        self._limit_s = limit_s
        self._idle_s = limit_s
        self._is_hurried = False
        self._loop = asyncio.get_running_loop()
        self._serving: asyncio.Task[None] | None = None
        self._welcomes: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begins to take connections."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[]))
        while not self._server.started:  # noqa: ASYNC110  uvicorn tells in no other way
            await asyncio.sleep(0)
        self._watch()

    async def shut(self, linger_s: float, is_last: bool) -> None:
        """Has every answer be the last on its connection and say so; ends taking connections.

        Args:
            linger_s: how long connections are taken all the same.
            is_last: whether nobody comes after this one; then those that wait are still taken.
        """
        if self._serving is not None:
            self._announce()
            await self._until(lambda passed_s: passed_s >= linger_s or self._is_hurried)
            self._loop.remove_reader(self._listener)
            while is_last and self._take():
                pass
        self._listener.close()

    async def leave(self, idle_s: float) -> None:
        """Returns when the last connection is closed.

        One on which nothing is asked is closed when it has been silent for `idle_s`: whoever kept
        it open that long will not ask at that very moment. After the limit the rest is cut off.
        """
        if self._serving is None:
            return
        self._idle_s = idle_s
        await self._until(self._may_end)
        self._server.should_exit = True
        await self._serving

    def hurry(self) -> None:
        """Waits no more for what is silent."""
        self._is_hurried = True

    async def _until(self, is_over: Callable[[float], bool]) -> None:
        began_s = self._loop.time()
        while not is_over(self._loop.time() - began_s):  # noqa: ASYNC110  nor do connections
            await asyncio.sleep(POLL_S)

    def _may_end(self, passed_s: float) -> bool:
        open_now = self._server.server_state.connections
        is_silent = not any(_is_busy(connection) for connection in open_now)
        is_idle = is_silent and (passed_s >= self._idle_s or self._is_hurried)
        is_empty = not open_now and not self._welcomes
        return is_empty or is_idle or passed_s >= self._limit_s

    def _announce(self) -> None:
        """Has every answer say that it is the last one on its connection."""
        state = self._server.server_state
        self._config.encoded_headers.append(CLOSE)
        state.default_headers = [*state.default_headers, CLOSE]
        connections: set[Any] = set(state.connections)
        for connection in filter(_is_busy, connections):
            connection.cycle.keep_alive = False

    def _watch(self) -> None:
        if self._listener.fileno() >= 0:  # not shut meanwhile
            self._loop.add_reader(self._listener, self._take)

    def _take(self) -> bool:
        """Lets one connection in; False when none waits."""
        try:
            taken, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker was faster, or the caller gave up
        except OSError as error:
            if error.errno not in FULL:
                raise
            log.error("no connection can be taken (%s); trying again soon", error.strerror)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(FULL_PAUSE_S, self._watch)
            return False
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        welcome = self._loop.create_task(self._welcome(taken))
        self._welcomes.add(welcome)
        welcome.add_done_callback(self._welcomes.discard)
        return True

    async def _welcome(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(self._protocol, taken)

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes for a connection that it takes itself."""
        made: asyncio.Protocol = self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config,
            server_state=self._server.server_state,
            app_state=self._server.lifespan.state,
        )
        return made


def _is_busy(connection: Any) -> bool:
    """Whether a request of a connection waits for its answer."""
    return connection.cycle is not None and not connection.cycle.response_complete

"""`sightline serve`: answer requests until stopped."""

import argparse
import asyncio
import json
import shlex
import signal
import socket
import time
from pathlib import Path

import uvicorn
import uvloop

from service.app import create_app, start
from service.domain.ladders import ALL
from service.errors import SetupInvalid
from service.monitoring.logs import configure_logs
from service.ports.serving import Release
from service.settings.tree import Settings, load_settings
from service.wiring import Parts, open_parts

KEEP_ALIVE_S = 75
"""Longer than the pools of callers and proxies keep connections: they close first, no race."""
GRACE_S = 10
BACKLOG = 2048


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sightline serve`."""
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="TCP port; 0 takes a free one")
    parser.add_argument("--store", type=Path, help="folder that holds the releases")
    parser.add_argument("--release", help="release to serve instead of CURRENT")
    parser.add_argument("--redis-url", help="Redis to use instead of a private one")


def command(asked: argparse.Namespace) -> int:
    """Serve; ends on Ctrl-C or SIGTERM."""
    given = {
        "server": {"host": asked.host, "port": asked.port},
        "releases": {"store": asked.store, "name": asked.release},
        "redis": {"url": asked.redis_url},
    }
    overrides = {
        part: {key: value for key, value in values.items() if value is not None}
        for part, values in given.items()
    }
    settings = load_settings(overrides)
    configure_logs(settings.server.log_level)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # while starting, as Ctrl-C
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    """Opens the parts, then listens: what is wrong is said before anybody could connect."""
    began_s = time.perf_counter()
    with _listen(settings.server.host, settings.server.port) as listener:
        async with open_parts(settings) as parts:
            server = uvicorn.Server(_uvicorn(create_app(settings, parts)))
            await start(parts)
            _greet(parts, listener, time.perf_counter() - began_s)
            _end_on_signals(server)
            await server.serve(sockets=[listener])
            parts.metrics.ready(False)


def _uvicorn(app: object) -> uvicorn.Config:
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
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        SetupInvalid: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SetupInvalid(
            f"cannot listen on {host}:{port} ({error.strerror}): "
            "stop what uses it, or choose another with --port or PORT="
        ) from error


def _end_on_signals(server: uvicorn.Server) -> None:
    """The server raises its signals again when it has ended; then there is nothing left to do."""

    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _greet(parts: Parts, listener: socket.socket, took_s: float) -> None:
    host, port = listener.getsockname()[:2]
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
    url = f"http://{shown}:{port}"
    release = parts.releases.live
    body = shlex.quote(json.dumps({"k": 5, "recent_actions": _example(release)}))
    print(
        f"Sightline serves release {release.name} ({len(release.catalogue)} items) on {url}"
        f" after {took_s:.1f} s.\n\nTry it:\n\n"
        f"  curl -s {url}/v1/recommend -H 'Content-Type: application/json' \\\n    -d {body}\n\n"
        f"All calls: {url}/docs   Metrics: {url}/metrics   More: README.md   Stop: Ctrl-C",
        flush=True,
    )


def _example(release: Release) -> list[dict[str, str]]:
    """Two popular items of the live release, as if somebody had just looked at them."""
    rows = release.ladder.popular_in(ALL)[:2].tolist()
    ids = [release.catalogue.item_ids[row] for row in rows]
    return [
        {"item_id": item_id, "event_type": word}
        for item_id, word in zip(ids, ("view", "add_to_cart"), strict=False)
    ]

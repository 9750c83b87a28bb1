"""The `sightline` command: serve, events import, release verify, settings, metrics."""

import argparse
import asyncio
import json
import re
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import uvicorn
import uvloop
from pydantic.fields import FieldInfo

from service.app import create_app, start
from service.backfill.command import add_import
from service.domain.ladders import ALL
from service.errors import ReleaseRefused, SetupInvalid
from service.monitoring.logs import configure_logs
from service.monitoring.reference import metrics_markdown
from service.ports import Release
from service.releases.loader import verify
from service.settings import Settings, environment_name, keys, load_settings
from service.wiring import Parts, open_parts

KEEP_ALIVE_S = 75
"""Longer than the pools of callers and proxies keep connections: they close first, no race."""
GRACE_S = 10
BACKLOG = 2048
WRONG_SETUP = 2
SECRETS = ("url",)
PAGE_HEAD = """# Settings

Made by `sightline settings --markdown`; change `service/settings.py` instead. Every setting is an
environment variable. `sightline settings` shows the values in force. What is wrong, or unknown, is
listed at start, all of it, and the service ends with code 2. `PORT` and `REDIS_URL` work too; the
long names win over them, and the command line over both."""
TABLE_HEAD = "| Variable | Default | Unit | Bounds | Meaning |\n|---|---|---|---|---|"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 when it went well, 2 with one sentence when the set-up is wrong."""
    asked = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = asked.command
    try:
        return command(asked)
    except (SetupInvalid, ReleaseRefused) as error:
        print(f"sightline: {error}", file=sys.stderr)
        return WRONG_SETUP
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sightline", description="Candidates, fresh and honest.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests until stopped")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="TCP port; 0 takes a free one")
    serve.add_argument("--store", type=Path, help="folder that holds the releases")
    serve.add_argument("--release", help="release to serve instead of CURRENT")
    serve.add_argument("--redis-url", help="Redis to use instead of a private one")
    serve.set_defaults(command=_serve)
    events = commands.add_parser("events", help="send what people did")
    add_import(events.add_subparsers(required=True, metavar="ACTION"))
    release = commands.add_parser("release", help="look at releases")
    actions = release.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check a release folder as serving would")
    verify.add_argument("path", type=Path)
    verify.set_defaults(command=_verify)
    metrics = commands.add_parser("metrics", help="the reference page of all metrics")
    metrics.set_defaults(command=_metrics)
    settings = commands.add_parser("settings", help="show every setting and its value")
    settings.add_argument("--markdown", action="store_true", help="the reference page instead")
    settings.set_defaults(command=_settings)
    return parser


def _serve(asked: argparse.Namespace) -> int:
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


def _verify(asked: argparse.Namespace) -> int:
    """Every check in order; the first that fails is the last."""
    results = verify(asked.path)
    for result in results:
        mark = "ok" if result.passed else f"REFUSED ({result.reason})"
        print(f"{mark:>6}  {result.name:<12} {result.duration_s * 1000:7.1f} ms  {result.detail}")
    return 0 if all(result.passed for result in results) else WRONG_SETUP


def _metrics(_: argparse.Namespace) -> int:
    print(metrics_markdown(), end="")
    return 0


def _settings(asked: argparse.Namespace) -> int:
    if asked.markdown:
        print(settings_markdown(), end="")
        return 0
    settings = load_settings()
    for part, name, _ in keys():
        value = getattr(getattr(settings, part), name)
        shown = _without_password(value) if name in SECRETS else value
        print(f"{environment_name(part, name)}={'' if shown is None else shown}")
    return 0


def _without_password(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"***@{place}" if "@" in parts.netloc else place
    query = re.sub(r"(password=)[^&]*", r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def settings_markdown() -> str:
    """The reference page of all settings, as docs/settings.md holds it."""
    lines = [PAGE_HEAD]
    part = ""
    for its_part, name, field in keys():
        if its_part != part:
            part = its_part
            about = (Settings.model_fields[part].annotation.__doc__ or "").strip()
            lines += [f"\n## {part}\n", about, "", TABLE_HEAD]
        lines.append(_row(part, name, field))
    return "\n".join(lines) + "\n"


def _row(part: str, name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = extra.get("unit", "") if isinstance(extra, dict) else ""
    default = "unset" if field.default is None else str(field.default)
    bounds = " ".join(
        f"{sign} {getattr(rule, word)}"
        for word, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        for rule in field.metadata
        if getattr(rule, word, None) is not None
    )
    cells = (f"`{environment_name(part, name)}`", f"`{default}`", unit, bounds, field.description)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())

"""`sightline serve`: answer requests until stopped."""

import argparse
import importlib
import signal
from typing import Protocol, cast

from service.monitoring.logs import configure_logs
from service.settings.tree import Settings, load_settings


class Serving(Protocol):
    """The module that serves: with a supervisor, or as one process."""

    def serve(self, settings: Settings, overrides: dict[str, dict[str, object]]) -> None: ...


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sightline serve`."""
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="TCP port; 0 takes a free one")
    parser.add_argument("--store", help="folder or URL that holds the releases")
    parser.add_argument("--release", help="release to serve instead of CURRENT")
    parser.add_argument("--redis-url", help="Redis to use instead of a private one")
    parser.add_argument(
        "--workers", type=int, help="processes that answer; 0 is one alone, for debugging"
    )


def command(asked: argparse.Namespace) -> int:
    """Serve; ends on Ctrl-C or SIGTERM."""
    given = {
        "server": {"host": asked.host, "port": asked.port},
        "releases": {"store": asked.store, "name": asked.release},
        "redis": {"url": asked.redis_url},
        "processes": {"workers": asked.workers},
    }
    overrides = {
        part: {key: value for key, value in values.items() if value is not None}
        for part, values in given.items()
    }
    settings = load_settings(overrides)
    configure_logs(settings.server.log_level)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # while starting, as Ctrl-C
    # only one of them is imported: a supervisor must not load what its workers need
    name = "alone" if settings.processes.workers == 0 else "serving"
    cast(Serving, importlib.import_module(f"service.processes.{name}")).serve(settings, overrides)
    return 0

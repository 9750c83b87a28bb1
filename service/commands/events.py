"""`sightline events import FILE`: history into the session store."""

import argparse
import asyncio
import time
from pathlib import Path

from service.backfill.importing import import_events
from service.backfill.rows import open_events
from service.settings.tree import Settings, load_settings
from service.wiring.backfill import open_ingest

DAY_S = 86_400
ABOUT = """Send a file of events to the session store: CSV with the columns user_id (or
anonymous_id), item_id, event_type and timestamp, and event_id and value if there are any, or JSON
lines as POST /v1/events takes them; gzipped or not. An event without an event_id gets one from its
row. May be stopped and run again at any time: what is stored counts as a duplicate."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `sightline events`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("import", help="send a file of events", description=ABOUT)
    parser.add_argument("file", type=Path)
    parser.add_argument("--redis-url", help="Redis to use instead of the private one")
    parser.add_argument(
        "--late-after-days", type=float, help="take events this old; otherwise the service's rule"
    )
    parser.add_argument(
        "--wait-s", type=float, default=60.0, help="how long to wait for a Redis that is down (60)"
    )


def command(asked: argparse.Namespace) -> int:
    """Send the file; 1 when something of it could not be stored."""
    settings = load_settings({"redis": {"url": asked.redis_url}} if asked.redis_url else None)
    days = asked.late_after_days
    late_after_s = settings.sessions.late_after_s if days is None else days * DAY_S
    return 0 if asyncio.run(_run(asked.file, settings, late_after_s, asked.wait_s)) else 1


async def _run(path: Path, settings: Settings, late_after_s: float, wait_s: float) -> bool:
    with open_events(path) as file:
        async with open_ingest(settings, late_after_s, wait_s) as ingest:
            return await import_events(ingest, file, settings.limits, time.time)

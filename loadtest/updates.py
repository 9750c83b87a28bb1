"""`make bench-items`: what item updates cost, and how soon everybody knows of them.

Two services share one Redis. Closed loops of lists at one of them, with and without updates that
another producer writes to Redis, take short turns; each pair of turns gives a ratio, and the median
of the ratios is printed with its 95 % interval, by time and by the processor time of the service.
Beside it: what share of a core the updates take while nobody asks for lists, which a busy machine
blurs less. ITEM_RATE (100 updates a second), ITEM_ROUNDS (80), ITEM_SECONDS (0.5 a turn).
"""

import json
import math
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import redis

from loadtest.broken_redis import BrokenRedis
from loadtest.client import Connection, encode
from loadtest.items import STORE, read_items
from loadtest.memory import cpu_s, descendants
from loadtest.processes import LoadTestFailed, end_on_sigterm, free_port, running, wait_ready
from loadtest.workers import one_each

COST_MAX, SEEN_MAX_S = 0.03, 1.0
TICK_S = 0.05
AWAY = 50
"""Items sold out at most at one time."""
LOOKS = 20
WARM_S, IDLE_S = 3.0, 15.0
FOLLOWED_S = 0.3
"""Until what was written has been read, so that no turn pays for another."""
PATIENCE_S = 10.0
PERSON = {"user_id": "bench-items", "k": 20, "explore": 0}


@dataclass(frozen=True, slots=True)
class Turn:
    """Lists per second of time, and per second of the service's processor time."""

    per_s: float
    per_cpu_s: float


@contextmanager
def service(folder: Path, redis_url: str) -> Iterator[tuple[int, str]]:
    """A service on the demo release: process id and URL."""
    folder.mkdir()
    port, log = free_port(), folder / "service.log"
    env = {
        "PORT": str(port),
        "REDIS_URL": redis_url,
        "SIGHTLINE_RELEASES__STORE": str(STORE),
        "SIGHTLINE_SERVER__LOG_LEVEL": "error",
        "SIGHTLINE_REDIS__VAR_DIR": str(folder / "var"),
    }
    with running([sys.executable, "-m", "service", "serve"], log, env) as process:
        url = f"http://127.0.0.1:{port}"
        wait_ready(process, f"{url}/readyz", log)
        yield process.pid, url


class Feed:
    """Another producer: sells items out and back in, at a constant rate, as docs/redis.md says."""

    def __init__(self, redis_url: str, per_s: float) -> None:
        self._redis = redis.Redis.from_url(redis_url)
        self._per_s, self._ids = per_s, read_items().ids
        self._is_on, self._is_over = threading.Event(), threading.Event()
        self.n_written = 0

    def __enter__(self) -> "Feed":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._redis.close()

    @contextmanager
    def on(self) -> Iterator[None]:
        self._is_on.set()
        yield
        self._is_on.clear()

    def _run(self) -> None:
        while not self._is_over.wait(TICK_S):
            if self._is_on.is_set():
                self._write(round(self._per_s * TICK_S))

    def _write(self, n: int) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            for _ in range(n):
                lap, place = divmod(self.n_written, AWAY)
                item = self._ids[(lap // 2 * AWAY + place) % len(self._ids)]
                field: dict[Any, Any] = {f"stock:{item}": lap % 2 * 5}
                pipeline.hset("sightline:{items}", mapping=field)
                pipeline.xadd("sightline:{items}:log", field, maxlen=20_000, approximate=True)
                self.n_written += 1
            pipeline.execute()


def turn(pid: int, connection: Connection, seconds: float) -> Turn:
    """One closed loop."""
    request = encode("/v1/recommend", PERSON)
    n, used_s, began_s = 0, cpu_s(descendants(pid)), time.perf_counter()
    while (duration_s := time.perf_counter() - began_s) < seconds:
        connection.send(request)
        n += 1
    return Turn(n / duration_s, n / (cpu_s(descendants(pid)) - used_s))


@dataclass(frozen=True, slots=True)
class Cost:
    """The median share of throughput that updates cost, and its 95 % interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, shares: Sequence[float]) -> "Cost":
        """From one share per round; the interval by order statistics."""
        ordered, n = sorted(shares), len(shares)
        away = math.ceil(0.98 * math.sqrt(n))
        low, high = max(0, n // 2 - away), min(n - 1, n // 2 + away)
        return cls(median(ordered), ordered[low], ordered[high])

    def __str__(self) -> str:
        return f"{self.median:.1%} ({self.low:.1%} to {self.high:.1%})"


def costs(pid: int, url: str, feed: Feed) -> tuple[Cost, Cost]:
    """What updates cost: by time, and by processor time."""
    rounds = int(os.environ.get("ITEM_ROUNDS", "80"))
    seconds = float(os.environ.get("ITEM_SECONDS", "0.5"))
    connection = Connection(url)
    turn(pid, connection, WARM_S)
    by_time, by_cpu = [], []
    for number in range(rounds):
        turns = {}
        for is_fed in (True, False) if number % 2 else (False, True):
            with feed.on() if is_fed else ExitStack():
                turns[is_fed] = turn(pid, connection, seconds)
            time.sleep(FOLLOWED_S)
        by_time.append(1 - turns[True].per_s / turns[False].per_s)
        by_cpu.append(1 - turns[True].per_cpu_s / turns[False].per_cpu_s)
    connection.close()
    return Cost.of(by_time), Cost.of(by_cpu)


def idle_share(pid: int, feed: Feed) -> float:
    """Share of a core that updates take while nobody asks for anything."""
    used_s = {}
    for is_fed in (False, True):
        with feed.on() if is_fed else ExitStack():
            before_s = cpu_s(descendants(pid))
            time.sleep(IDLE_S)
            used_s[is_fed] = cpu_s(descendants(pid)) - before_s
        time.sleep(FOLLOWED_S)
    return (used_s[True] - used_s[False]) / IDLE_S


def seen_s(here: str, looking: Sequence[Connection]) -> list[float]:
    """Seconds from the answer to a change at one service until all these connections show it."""
    asked, durations = encode("/v1/recommend", PERSON), []
    for look in range(LOOKS):
        first = _shown(looking[0], asked)[0]
        _patch(here, first, 0)
        began_s, behind = time.perf_counter(), [*looking]
        while behind := [connection for connection in behind if first in _shown(connection, asked)]:
            if time.perf_counter() - began_s > PATIENCE_S:
                raise LoadTestFailed(f"{first} was still offered after {PATIENCE_S:.0f} s")
        durations.append(time.perf_counter() - began_s)
        _patch(here, first, 5)
        time.sleep(0.6 + 0.05 * look)  # at another phase of the reading each time
    return durations


def _shown(connection: Connection, asked: bytes) -> list[str]:
    return [item["item_id"] for item in json.loads(connection.send(asked))["items"]]


def _patch(url: str, item_id: str, units: int) -> None:
    request = urllib.request.Request(
        f"{url}/v1/items/{quote(item_id, safe='')}",
        data=json.dumps({"stock": units}).encode(),
        headers={"content-type": "application/json"},
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        answer.read()


def run(folder: Path) -> bool:
    """Measures and prints everything; whether both promises were kept."""
    rate = float(os.environ.get("ITEM_RATE", "100"))
    server = BrokenRedis(folder)
    server.start()
    try:
        with (
            service(folder / "one", server.url) as (pid, one),
            service(folder / "two", server.url) as (other_pid, two),
            Feed(server.url, rate) as feed,
        ):
            by_time, by_cpu = costs(pid, one, feed)
            idle = idle_share(pid, feed)
            asked = encode("/v1/recommend", PERSON)
            looking = [*one_each(pid, one, asked), *one_each(other_pid, two, asked)]
            seen = sorted(seen_s(one, looking))
            for connection in looking:
                connection.close()
    finally:
        server.close()
    print(
        f"{rate:.0f} updates/s cost {by_cpu} of the lists per second of processor time, {by_time} "
        f"of the lists per second, and {idle:.1%} of a core while nobody asks (promise "
        f"{COST_MAX:.0%}); {feed.n_written:,} updates written\n"
        f"an update is seen by all {len(looking)} workers of both services after {median(seen):.2f}"
        f" s, at most {seen[-1]:.2f} s of {len(seen)} (promise {SEEN_MAX_S:.0f} s)"
    )
    return max(idle, by_cpu.low) <= COST_MAX and seen[-1] <= SEEN_MAX_S


def main() -> int:
    end_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="sightline-items-") as name:
            return 0 if run(Path(name)) else 1
    except LoadTestFailed as error:
        print(f"bench-items: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

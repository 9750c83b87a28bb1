"""`make bench-faults`: what a Redis that hangs, dies or lags costs those who wait for a list.

Requests leave at a constant rate, whether or not answers keep up. B is the p99 without a fault, in
the same run. The promise: in the first second of a fault p99 <= B + 12 ms (five reads wait 10 ms
each, then the breaker opens), after it p99 <= B + 2 ms, and never an answer that is no list.
FAULT_RATE (100 a second), FAULT_SECONDS (5 a phase), FAULT_ROUNDS (3).
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import redis

from loadtest.client import Connection, encode, open_loop
from loadtest.durations import HEADER, Summary, line, summarise
from loadtest.items import STORE
from loadtest.processes import LoadTestFailed, end_on_sigterm, free_port, running, wait_ready
from loadtest.reference.people import redis_binary

PEOPLE, K = 200, 20
FIRST_S = 1.0
BACK_S = 40.0
FIRST_MS, LATER_MS = 12.0, 2.0
BEFORE = "no fault (B)"


class Redis:
    """A real server that can be stopped in its tracks, killed, and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        keep = ["--appendonly", "yes", "--dir", str(self._folder)]
        self._stack.close()
        self._process = self._stack.enter_context(
            running([*command, *keep], self._folder / "redis.log")
        )
        due_s = time.monotonic() + BACK_S
        while not self._answers():
            if time.monotonic() > due_s:
                raise LoadTestFailed("redis-server does not answer")
            time.sleep(0.02)

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        self.go_on()
        self._stack.close()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@dataclass(frozen=True, slots=True)
class Phase:
    """What was measured around one fault; `back_s` from the mending to a personal list."""

    first: Summary
    later: Summary
    back_s: float


@contextmanager
def served(folder: Path) -> Iterator[tuple[Redis, str]]:
    """Redis and the service, with its own settings, on the demo release."""
    server, port, log = Redis(folder), free_port(), folder / "service.log"
    env = {
        "PORT": str(port),
        "REDIS_URL": server.url,
        "SIGHTLINE_RELEASES__STORE": str(STORE),
        "SIGHTLINE_SERVER__LOG_LEVEL": "error",
    }
    try:
        server.start()
        with running([sys.executable, "-m", "service", "serve"], log, env) as process:
            url = f"http://127.0.0.1:{port}"
            wait_ready(process, f"{url}/readyz", log)
            yield server, url
    finally:
        server.close()


def teach(url: str) -> list[bytes]:
    """Everybody clicks on what was shown; gives one encoded request for each person."""
    connection, requests = Connection(url), []
    for number in range(PEOPLE):
        body = {"user_id": f"fault-{number}", "k": K}
        request = encode("/v1/recommend", body)
        shown = json.loads(connection.send(request))["items"]
        events = [
            {
                "event_id": f"{number}-{item['rank']}",
                "event_type": "click",
                "user_id": body["user_id"],
                "item_id": item["item_id"],
            }
            for item in shown
        ]
        connection.send(encode("/v1/events", {"events": events}))
        requests.append(request)
    connection.close()
    return requests


def measure(name: str, url: str, requests: Sequence[bytes], seconds: float) -> Summary:
    rate = float(os.environ.get("FAULT_RATE", "100"))
    durations, errors = asyncio.run(open_loop(url, requests, rate, seconds))
    return summarise(name, durations, errors, seconds)


def recovery_s(url: str, request: bytes) -> float:
    """Seconds until a list is personal again.

    Raises:
        LoadTestFailed: it never was.
    """
    connection, began_s = Connection(url), time.monotonic()
    while json.loads(connection.send(request))["degraded"]["is_degraded"]:
        if time.monotonic() - began_s > BACK_S:
            raise LoadTestFailed("answers stay degraded after Redis is back")
        time.sleep(0.01)
    connection.close()
    return time.monotonic() - began_s


def during(
    name: str, url: str, requests: Sequence[bytes], fault: tuple[Callable[[], None], ...]
) -> Phase:
    """Breaks, measures, mends, and waits until all is well and the breaker's pauses are short."""
    seconds = float(os.environ.get("FAULT_SECONDS", "5"))
    breaks, mends = fault
    breaks()
    first = measure(f"{name}, first second", url, requests, FIRST_S)
    later = measure(f"{name}, later", url, requests, seconds)
    mends()
    return Phase(first, later, recovery_s(url, requests[0]))


def run(server: Redis, url: str) -> bool:
    """Measures and prints everything; whether no answer was bad."""
    requests = teach(url)
    measure("warm-up", url, requests, FIRST_S)
    faults = {
        "Redis hangs (F03)": (server.hang, server.go_on),
        "Redis is killed (F02)": (server.kill, server.start),
    }
    rounds, errors = int(os.environ.get("FAULT_ROUNDS", "3")), 0
    more: dict[str, list[tuple[float, float, float]]] = {name: [] for name in faults}
    print(HEADER)
    for _ in range(rounds):
        for name, fault in faults.items():
            before = measure(BEFORE, url, requests, float(os.environ.get("FAULT_SECONDS", "5")))
            phase = during(name, url, requests, fault)
            print(*(line(one) for one in (before, phase.first, phase.later)), sep="\n")
            errors += before.errors + phase.first.errors + phase.later.errors
            first_ms, later_ms = phase.first.p99_ms, phase.later.p99_ms
            its = (first_ms - before.p99_ms, later_ms - before.p99_ms, phase.back_s)
            more[name].append(its)
    print(f"\n{errors} bad answers; p99 beside B, median of {rounds} rounds:")
    for name, told in more.items():
        first_ms, later_ms, back_s = (median(column) for column in zip(*told, strict=True))
        print(
            f"{name:24} first second {first_ms:+6.2f} ms (promise +{FIRST_MS:.0f}), "
            f"later {later_ms:+6.2f} ms (promise +{LATER_MS:.0f}), personal {back_s:4.1f} s after"
        )
    return not errors


def main() -> int:
    end_on_sigterm()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sightline-faults-") as name,
            served(Path(name)) as (server, url),
        ):
            return 0 if run(server, url) else 1
    except LoadTestFailed as error:
        print(f"bench-faults: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

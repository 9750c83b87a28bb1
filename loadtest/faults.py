"""`make bench-faults`: what a broken Redis costs those who wait for a list.

Requests leave at a constant rate, whether or not answers keep up. B is the p99 without a fault,
just before each; for a Redis that is slow both are measured through the proxy that makes it slow.
`FAULTS` holds what is promised beyond B: of a Redis that says nothing five reads wait 10 ms each,
then the breaker opens. An answer that is no list is bad, and there is none, ever.
FAULT_RATE (100 a second), FAULT_SECONDS (5 a phase), FAULT_ROUNDS (3).
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from loadtest.broken_redis import BrokenRedis
from loadtest.calls import Outcome
from loadtest.client import OK, Answer, Connection, encode
from loadtest.durations import HEADER, Summary, line, summarise
from loadtest.items import STORE
from loadtest.open_loop import Driver, drive
from loadtest.processes import LoadTestFailed, end_on_sigterm, free_port, running, wait_ready

PEOPLE, K = 200, 20
RATE_PER_S = float(os.environ.get("FAULT_RATE", "100"))
SECONDS = float(os.environ.get("FAULT_SECONDS", "5"))
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
FIRST_S = 1.0
BACK_S = 40.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and by how much p99 may exceed B in its first second and later."""

    name: str
    breaks: Callable[[BrokenRedis], None]
    mends: Callable[[BrokenRedis], None]
    first_ms: float
    later_ms: float
    is_late: bool = False
    """Whether it needs the proxy."""


FAULTS = (
    Fault("killed (F02)", BrokenRedis.kill, BrokenRedis.start, 12.0, 2.0),
    Fault("hangs (F03)", BrokenRedis.hang, BrokenRedis.go_on, 12.0, 2.0),
    Fault("comes and goes (F07)", BrokenRedis.flap, BrokenRedis.stay, 12.0, 5.0),
    Fault("5 ms late (F05)", lambda r: r.delay(0.005), lambda r: r.delay(0.0), 6.0, 6.0, True),
    Fault("50 ms late (F04)", lambda r: r.delay(0.05), lambda r: r.delay(0.0), 12.0, 2.0, True),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """Some seconds of lists; `degraded` is the share of those made without the session."""

    summary: Summary
    degraded: float


@dataclass(frozen=True, slots=True)
class Case:
    """What was measured around one fault; `back_s` from the mending to a personal list."""

    before: Phase
    first: Phase
    later: Phase
    back_s: float

    @property
    def phases(self) -> tuple[Phase, ...]:
        return self.before, self.first, self.later

    @property
    def figures(self) -> tuple[float, ...]:
        """B, what p99 is beyond it in the first second and later, both shares, and `back_s`."""
        before_ms, first_ms, later_ms = (phase.summary.p99_ms for phase in self.phases)
        more_ms = (first_ms - before_ms, later_ms - before_ms)
        return (before_ms, *more_ms, self.first.degraded, self.later.degraded, self.back_s)


@contextmanager
def served(folder: Path, is_late: bool) -> Iterator[tuple[BrokenRedis, str]]:
    """Redis and the service, with its own settings, on the demo release."""
    server, port, log = BrokenRedis(folder, is_late), free_port(), folder / "service.log"
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


def judge(_: int, answer: Answer) -> tuple[Outcome, str]:
    """Whether an answer is a list, and whether it says that something is missing in it."""
    if answer.status != OK:
        return Outcome.STATUS, ""
    body = json.loads(answer.body)
    if len(body["items"]) != K:
        return Outcome.WRONG, ""
    return Outcome.DEGRADED if body["degraded"]["is_degraded"] else Outcome.OK, ""


def measure(name: str, url: str, requests: Sequence[bytes], seconds: float) -> Phase:
    calls = drive(Driver(url, requests, RATE_PER_S, check=judge), seconds)
    degraded = calls.count(Outcome.DEGRADED)
    summary = summarise(name, calls.ms, calls.errors - degraded, seconds)
    return Phase(summary, degraded / max(1, len(calls.ms)))


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


def during(fault: Fault, server: BrokenRedis, url: str, requests: Sequence[bytes]) -> Case:
    """Measures, breaks, measures, mends, and waits until lists are personal again."""
    before = measure("no fault (B)", url, requests, SECONDS)
    fault.breaks(server)
    first = measure(f"{fault.name}, 1st s", url, requests, FIRST_S)
    later = measure(f"{fault.name}, later", url, requests, SECONDS)
    fault.mends(server)
    return Case(before, first, later, recovery_s(url, requests[0]))


def run(faults: Sequence[Fault], server: BrokenRedis, url: str) -> dict[Fault, list[Case]]:
    """Measures each fault some times and prints all of it."""
    requests = teach(url)
    measure("warm-up", url, requests, FIRST_S)
    cases: dict[Fault, list[Case]] = {fault: [] for fault in faults}
    for fault in faults:
        for _ in range(ROUNDS):
            case = during(fault, server, url, requests)
            cases[fault].append(case)
            print(*(line(phase.summary) for phase in case.phases), sep="\n", flush=True)
    return cases


def report(cases: dict[Fault, list[Case]]) -> bool:
    """Prints the medians beside what is promised; whether no answer was bad."""
    phases = [phase for its in cases.values() for case in its for phase in case.phases]
    bad = sum(phase.summary.errors for phase in phases)
    print(f"\n{bad} bad answers; p99 in ms beside B, median of {ROUNDS} rounds:")
    for fault, its in cases.items():
        columns = zip(*(case.figures for case in its), strict=True)
        before_ms, first_ms, later_ms, first, later, back_s = map(median, columns)
        print(
            f"{fault.name:21} B {before_ms:5.1f}; first second {first_ms:+6.2f} "
            f"(promise +{fault.first_ms:.0f}), {first:4.0%} degraded; later {later_ms:+6.2f} "
            f"(promise +{fault.later_ms:.0f}), {later:4.0%} degraded; personal {back_s:.1f} s after"
        )
    return not bad


def main() -> int:
    end_on_sigterm()
    cases: dict[Fault, list[Case]] = {}
    print(HEADER)
    try:
        for is_late in (False, True):
            faults = [fault for fault in FAULTS if fault.is_late is is_late]
            with (
                tempfile.TemporaryDirectory(prefix="sightline-faults-") as name,
                served(Path(name), is_late) as (server, url),
            ):
                cases |= run(faults, server, url)
    except LoadTestFailed as error:
        print(f"bench-faults: {error}", file=sys.stderr)
        return 2
    return 0 if report(cases) else 1


if __name__ == "__main__":
    sys.exit(main())

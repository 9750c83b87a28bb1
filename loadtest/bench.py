"""`make bench`: the service beside the bare core calls, an empty route and two reference services.

All read one release, one Redis and the same people. Closed loop with one connection for latency, in
rounds of alternating order; open loop at a constant rate for the load that each can bear. On a busy
machine the absolute figures wander and the ratios hold better. BENCH_ROUNDS (5), BENCH_CALLS (300).
"""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import median

from loadtest.client import Connection, encode
from loadtest.durations import HEADER, line, summarise
from loadtest.items import STORE
from loadtest.open_loop import Driver, drive
from loadtest.processes import LoadTestFailed, end_on_sigterm, free_port, running, wait_ready
from loadtest.reference.bundle import Bundle, open_bundle, unpack
from loadtest.reference.core import core_calls
from loadtest.reference.people import redis_server, seed

K = 100
PEOPLE = 300
WARM_UP = 200
SLO_MS = 10.0
FIRST_RATE, RATE_STEP, POINT_S = 50.0, 1.4, 3.0
SERVICE, CORE, EMPTY, FAIR, NAIVE = "service", "core calls", "empty route", "fair", "naive"
UVICORN = (sys.executable, "-m", "uvicorn")
FAIR_FLAGS = ("--no-access-log", "--loop", "uvloop", "--http", "httptools")


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs while measuring.

    Attributes:
        urls: base address of each server.
        sessions: packed session by user id.
        bodies: one encoded recommendation request for each person.
    """

    redis_url: str
    urls: Mapping[str, str]
    sessions: Mapping[str, bytes]
    bodies: Sequence[bytes]
    bundle: Bundle


@contextmanager
def server(name: str, command: Sequence[str], folder: Path, redis_url: str) -> Iterator[str]:
    """Runs one server on a free port until the end of the block."""
    port, log = free_port(), folder / f"{name}.log"
    flags = () if name == SERVICE else ("--port", str(port))
    env = {
        "PORT": str(port),
        "REDIS_URL": redis_url,
        "LOAD_STORE": str(STORE),
        "SIGHTLINE_RELEASES__STORE": str(STORE),
    }
    with running([*command, *flags], log, env) as process:
        url = f"http://127.0.0.1:{port}"
        wait_ready(process, f"{url}/readyz", log)
        yield url


@contextmanager
def started(folder: Path) -> Iterator[Bench]:
    """Redis, the service and both references, with the same sessions in the formats of each."""
    with ExitStack() as stack:
        redis_url = stack.enter_context(redis_server(folder))
        commands = {
            SERVICE: (sys.executable, "-m", "service", "serve", "--workers", "1"),
            FAIR: (*UVICORN, "loadtest.reference.fair:app", *FAIR_FLAGS),
            NAIVE: (*UVICORN, "loadtest.reference.naive:app"),
        }
        urls = {
            name: stack.enter_context(server(name, command, folder, redis_url))
            for name, command in commands.items()
        }
        bundle, rng = open_bundle(is_tuned=True), random.Random(7)
        user_ids = [f"bench-{number}" for number in range(PEOPLE)]
        sessions = seed(urls[SERVICE], redis_url, user_ids, bundle.item_ids, rng)
        bodies = [encode("/v1/recommend", {"user_id": user_id, "k": K}) for user_id in user_ids]
        yield Bench(redis_url, urls, sessions, bodies, bundle)


def closed_loop(url: str, requests: Sequence[bytes], n: int) -> list[float]:
    """Milliseconds of n requests, one after the other on one connection."""
    connection = Connection(url)
    try:
        for request in requests[:WARM_UP]:
            connection.send(request)
        return [connection.timed(requests[i % len(requests)]) for i in range(n)]
    finally:
        connection.close()


def latencies(bench: Bench, rounds: int, n: int) -> dict[str, list[list[float]]]:
    """Milliseconds by system and round; every other round runs in the opposite order."""
    everybody = list(bench.sessions)
    users = [everybody[i % PEOPLE] for i in range(WARM_UP + n)]
    empty = [encode("/hello", {})]
    measure: dict[str, Callable[[], list[float]]] = {
        CORE: lambda: asyncio.run(core_calls(bench.bundle, bench.redis_url, users, K))[WARM_UP:],
        EMPTY: lambda: closed_loop(bench.urls[FAIR], empty, n),
        SERVICE: lambda: closed_loop(bench.urls[SERVICE], bench.bodies, n),
        FAIR: lambda: closed_loop(bench.urls[FAIR], bench.bodies, n),
        NAIVE: lambda: closed_loop(bench.urls[NAIVE], bench.bodies, n),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in measure}
    for number in range(rounds):
        for name in list(measure) if number % 2 == 0 else reversed(measure):
            found[name].append(measure[name]())
    return found


def recalls(bench: Bench) -> dict[str, float]:
    """Share of the true 100 nearest items in the answers of each server, mean over people."""
    bundle = bench.bundle
    exact = [bundle.exact(bundle.embed(unpack(value)), K) for value in bench.sessions.values()]
    means = {}
    for name, url in bench.urls.items():
        connection, shares = Connection(url), []
        for body, wanted in zip(bench.bodies, exact, strict=True):
            items = json.loads(connection.send(body))["items"]
            shares.append(len(wanted & {item["item_id"] for item in items}) / K)
        connection.close()
        means[name] = sum(shares) / len(shares)
    return means


def holds(bench: Bench, name: str, rate: float) -> bool:
    """Whether p95 stays within 10 ms at a constant rate (1/s) and nothing fails."""
    calls = drive(Driver(bench.urls[name], bench.bodies, rate), POINT_S)
    summary = summarise(f"{name} at {rate:.0f}/s", calls.ms, calls.errors, POINT_S)
    print(line(summary), flush=True)
    return not calls.errors and summary.p95_ms <= SLO_MS


def capacity(bench: Bench, name: str) -> float:
    """The highest rate (1/s) that a system holds; 0 when it fails the lowest.

    A point gets a second try, for something else may have wanted the processor.
    """
    rate, best = FIRST_RATE, 0.0
    while holds(bench, name, rate) or holds(bench, name, rate):
        rate, best = rate * RATE_STEP, rate
    return best


def report(p50: Mapping[str, float], most: Mapping[str, float]) -> None:
    """The ratios that count, each with its definition."""
    service, core, rate = p50[SERVICE], p50[CORE], f"rate at p95 <= {SLO_MS:.0f} ms"
    naive, fair = (most[SERVICE] / most[name] if most[name] else nan for name in (NAIVE, FAIR))
    additive = service / (core + p50[EMPTY])
    print(f"MS1  p50 service / (core calls + empty route)  {additive:6.2f}  (lower is better)")
    print(
        f"MS2  p50 service / core calls                  {service / core:6.2f}  (lower is better)"
    )
    print(f"MS3  {rate}, service / naive        {naive:6.2f}  (higher is better)")
    print(f"MS4  {rate}, service / fair         {fair:6.2f}  (higher is better)")


def run(bench: Bench, rounds: int, n: int) -> None:
    """Measures and prints everything."""
    print(f"release of {len(bench.bundle.item_ids)} items, k = {K}, one process each; milliseconds")
    print(f"\none connection, median of {rounds} rounds of {n} calls")
    print(f"{'':14}{'p50':>9}{'p95':>9}{'p99':>9}{'recall@100':>13}")
    found, share, p50 = latencies(bench, rounds, n), recalls(bench), {}
    for name, durations in found.items():
        each = [summarise(name, one, 0, 1.0) for one in durations]
        p50[name] = median(s.p50_ms for s in each)
        p95, p99 = median(s.p95_ms for s in each), median(s.p99_ms for s in each)
        recall = f"{share[name]:13.3f}" if name in share else ""
        print(f"{name:14}{p50[name]:9.3f}{p95:9.3f}{p99:9.3f}{recall}")
    print("The service's rules move items on purpose: own items again, caps, exploration.")
    print(
        f"\nconstant rate, {POINT_S:.0f} s a point, until p95 exceeds {SLO_MS:.0f} ms",
        HEADER,
        sep="\n",
    )
    most = {name: capacity(bench, name) for name in (SERVICE, FAIR, NAIVE)}
    print()
    report(p50, most)


def main() -> int:
    end_on_sigterm()
    rounds, calls = (
        int(os.environ.get("BENCH_ROUNDS", "5")),
        int(os.environ.get("BENCH_CALLS", "300")),
    )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sightline-bench-") as name,
            started(Path(name)) as bench,
        ):
            run(bench, rounds, calls)
    except LoadTestFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make soak`: hours of lists, batches and changes of release; nothing may grow.

A service of two workers answers single lists and batches at a constant rate while its two releases
take turns. Shortly before each change its memory, open files, processes and metric series are
counted. The exit status is 1 when a promise is broken (F49 of the fault matrix).
SOAK_MINUTES (120), SOAK_SWITCH_S (300), SOAK_RATE (50), SOAK_ITEMS (20000).
"""

import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest import expected
from loadtest.background import Load, background
from loadtest.calls import Outcome
from loadtest.client import encode
from loadtest.memory import Process, descendants, pss_bytes
from loadtest.operating import Operator, operated
from loadtest.processes import LoadTestFailed, end_on_sigterm
from loadtest.promises import Promises
from loadtest.reference.bundle import open_bundle
from loadtest.reference.people import redis_server
from loadtest.rig import prepared, setting

WORKERS = 2
BATCHES = (1, 8, 32)
KS = (5, 20, 100)
FEWEST = 2
SETTLING_S = 600.0
"""Caches fill and threads start; what is counted before is not held against the service."""
SLOPE_MIB_H, GROWTH_MIB, FILES_MOST = 1.0, 100.0, 5
SERIES_MOST = 5
"""Words of closed sets that are counted for the first time; a leak would add some each change."""
HOUR_S, MIB = 3600.0, 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the processes of a service hold.

    Attributes:
        pss: of all processes, bytes, without the pages of files: strangers share those.
        supervisor: resident bytes of the one process that lives as long as the service.
        files: open files of all processes.
        series: lines of the metrics page.
    """

    at_s: float
    pss: int
    supervisor: int
    files: int
    processes: int
    series: int

    def __str__(self) -> str:
        sizes = f"{self.pss / MIB:8.1f} MiB PSS {self.supervisor / MIB:7.1f} MiB supervisor"
        return f"{sizes} {self.files:5} files {self.processes:3} processes {self.series:6} series"


def sampled(operator: Operator) -> Sample:
    family = descendants(operator.pid)
    statm = Path(f"/proc/{operator.pid}/statm").read_text().split()
    resident = int(statm[1]) * os.sysconf("SC_PAGE_SIZE")
    files = sum(map(open_files, family))
    at_s = time.monotonic()
    return Sample(
        at_s, pss_bytes(family, "Pss_Anon"), resident, files, len(family), series(operator.url)
    )


def open_files(process: Process) -> int:
    """Open files but for connections, which come and go with the clients."""
    n = 0
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            n += not link.readlink().name.startswith("socket:")
        except OSError:  # closed meanwhile
            continue
    return n


def series(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10.0) as answer:
        lines = answer.read().decode().splitlines()
    return sum(not line.startswith("#") for line in lines)


def mixed(people: Sequence[str]) -> list[bytes]:
    """Lists of several lengths, and batches of several sizes."""
    requests = []
    for number, user_id in enumerate(people):
        k = KS[number % len(KS)]
        requests.append(encode("/v1/recommend", {"user_id": user_id, "k": k}))
        if number % 10 == 0:
            size = BATCHES[number // 10 % len(BATCHES)]
            asked = [{"user_id": people[(number + i) % len(people)], "k": 20} for i in range(size)]
            requests.append(encode("/v1/recommend/batch", {"requests": asked}))
    return requests


def soaked(operator: Operator, names: Sequence[str], requests: Sequence[bytes]) -> Promises:
    """Changes releases under load until the time is over."""
    end_s, promises = time.monotonic() + 60 * setting("SOAK_MINUTES", 120), Promises()
    every_s, samples = setting("SOAK_SWITCH_S", 300), list[Sample]()
    with background(Load(operator.url, requests, setting("SOAK_RATE", 50))) as driver:
        while time.monotonic() + every_s < end_s:
            time.sleep(every_s)
            samples.append(sampled(operator))
            print(f"{samples[-1].at_s - samples[0].at_s:6.0f} s {samples[-1]}", flush=True)
            operator.activate(names[operator.live == names[0]])
        calls = driver.stop()
    if len(samples) < FEWEST:
        raise LoadTestFailed(f"SOAK_MINUTES is too short for {FEWEST} changes")
    print(
        f"{len(calls.ms)} calls, {len(samples)} changes, p99 {np.percentile(calls.ms, 99):.1f} ms"
    )
    promises.at_most("calls that failed", len(calls.ms) - calls.count(Outcome.OK), 0)
    judged(samples, promises)
    return promises


def judged(samples: Sequence[Sample], promises: Promises) -> None:
    """Holds the samples after the first minutes against what was promised."""
    began_s = samples[0].at_s
    steady = [s for s in samples if s.at_s - began_s >= SETTLING_S] or list(samples)
    first, last = steady[0], steady[-1]
    for name, sizes in (
        ("all processes", [s.pss for s in steady]),
        ("supervisor", [s.supervisor for s in steady]),
    ):
        slope = _slope([s.at_s for s in steady], sizes)
        promises.at_most(f"{name}, MiB/h", slope * HOUR_S / MIB, SLOPE_MIB_H)
        promises.at_most(f"{name}, MiB in all", (sizes[-1] - sizes[0]) / MIB, GROWTH_MIB)
    promises.at_most("open files more", abs(last.files - first.files), FILES_MOST)
    promises.at_most("processes more", abs(last.processes - first.processes), 0)
    promises.at_most("metric series more", last.series - first.series, SERIES_MOST)


def _slope(at_s: Sequence[float], sizes: Sequence[int]) -> float:
    """Median slope of all pairs (Theil, 1950; Sen, 1968): one outlier moves nothing."""
    pairs = [(i, j) for j in range(len(at_s)) for i in range(j)]
    slopes = [(sizes[j] - sizes[i]) / (at_s[j] - at_s[i]) for i, j in pairs]
    return float(np.median(slopes)) if slopes else 0.0


def main() -> int:
    end_on_sigterm()
    os.environ.setdefault("BENCH_ITEMS", str(int(setting("SOAK_ITEMS", 20_000))))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sightline-soak-") as name,
            redis_server(Path(name)) as redis_url,
        ):
            store = prepared()
            env = {"REDIS_URL": redis_url, "SIGHTLINE_RELEASES__STORE": str(store)}
            names = sorted(path.parent.name for path in store.glob("*/manifest.json"))
            people = expected.people(open_bundle(is_tuned=True, store=store).item_ids)
            with operated(Path(name), env, WORKERS) as operator:
                expected.teach(operator.url, people)
                return 0 if soaked(operator, names, mixed([*people])).told() else 1
    except LoadTestFailed as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

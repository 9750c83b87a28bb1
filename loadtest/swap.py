"""`make bench-swap`: what clients notice of a change of release, at a million items.

Two releases of the same items take turns while requests leave at a constant rate, at half of what
the service bears; every answer is compared with what its release says when it is alone. Then:
releases that are refused, rolling back, memory. The exit status is 1 when a promise is broken.
BENCH_ITEMS (1000000), BENCH_SWITCHES (20), BENCH_PAUSE_S (10), BENCH_RATE (found out), BENCH_STORE.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from loadtest import expected
from loadtest.memory import pss_bytes
from loadtest.open_loop import Driver, drive
from loadtest.operating import Change, Operator, operated
from loadtest.processes import LoadTestFailed, end_on_sigterm
from loadtest.promises import Promises
from loadtest.reference.bundle import open_bundle
from loadtest.reference.people import redis_server
from loadtest.refusals import refusals
from loadtest.rig import Rig, prepared, rigged, saturation, setting
from loadtest.switches import bad, n_bad, parts, turn

WORKERS = 2
GONE_S, ROLLBACK_S = 10.0, 5.0
P99_RATIO, PSS_RATIO = 1.5, 1.25
ROLLBACKS, ROLLBACK_PAUSE_S = 3, 8.0
SAMPLE_S = 0.25
REST_RATE, REST_S = 50.0, 10.0
KEEP_WARM = "SIGHTLINE_RELEASES__KEEP_PREVIOUS_WARM"
GIB = 2**30
NOTHING: Mapping[str, str] = {}


def switches(rig: Rig, rate: float, promises: Promises) -> None:
    """The releases take turns under load."""
    n, pause_s = int(setting("BENCH_SWITCHES", 20)), setting("BENCH_PAUSE_S", 10)
    changes: list[Change] = []
    with rig.load(rate) as driver:
        for _ in range(n):
            time.sleep(pause_s)
            changes.append(rig.operator.activate(rig.other))
        time.sleep(pause_s)
        calls = driver.stop()
    steady, during, loading, handing_over = parts(calls, changes)
    print(f"\n{n} switches at {rate:.0f}/s", steady, during, loading, handing_over, sep="\n")
    print(bad(calls))
    turns = [turn(calls, change) for change in changes]
    firsts, gone = [t.first_s for t in turns], [t.gone_s - t.first_s for t in turns]
    print(f"from the command to the first new answer: {_span(firsts)}")
    print(f"sent later than meant: p99 {np.percentile(calls.late_ms, 99):.2f} ms")
    promises.at_most("calls that failed", n_bad(calls), 0)
    promises.at_most("p99 during changes / steady", during.p99_ms / steady.p99_ms, P99_RATIO)
    promises.at_most("first new answer to last old process, s", max(gone), GONE_S)


def _span(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return f"{ordered[0]:.1f} to {ordered[-1]:.1f} s, median {ordered[len(ordered) // 2]:.1f} s"


def rollbacks(rig: Rig, rate: float, how: str, promises: Promises) -> None:
    """Switches and takes it back, under load."""
    changes: list[Change] = []
    with rig.load(rate) as driver:
        for _ in range(ROLLBACKS):
            former = rig.operator.live
            new = rig.operator.activate(rig.other).release
            time.sleep(ROLLBACK_PAUSE_S)
            changes.append(rig.operator.change("rollback", new, former))
        calls = driver.stop()
    firsts = [turn(calls, change).first_s for change in changes]
    print(f"\nrolling back, {how}: first answer after {_span(firsts)}; {bad(calls)}")
    promises.at_most(f"rollback to first answer, {how}, s", max(firsts), ROLLBACK_S)


def peak_bytes(rig: Rig) -> int:
    """The most that the service takes together while it changes releases, without load."""
    samples: list[int] = []
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.wait(SAMPLE_S):
            samples.append(pss_bytes(rig.operator.family))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        rig.operator.activate(rig.other)
    finally:
        is_over.set()
        sampler.join()
    return max(samples)


def resting_bytes(rig: Rig) -> int:
    """What the service takes after every worker has answered."""
    drive(Driver(rig.operator.url, rig.requests, REST_RATE), REST_S)
    return pss_bytes(rig.operator.family)


class Bench:
    """The phases, each with a service of its own, over one store and one Redis."""

    def __init__(self, folder: Path, store: Path, redis_url: str) -> None:
        self._folder, self._store = folder, store
        self._env = {"REDIS_URL": redis_url, "SIGHTLINE_RELEASES__STORE": str(store)}
        bundle = open_bundle(is_tuned=True, store=store)
        self._histories = expected.people(bundle.item_ids)
        recall = expected.recall(bundle, self._histories)
        print(f"{len(bundle.item_ids)} items x {bundle.vectors.shape[1]}, {WORKERS} workers; ")
        print(f"recall@{expected.DEPTH} of the index for these people: {recall:.3f}")

    def run(self) -> bool:
        """Measures and prints everything; whether all promises were kept."""
        promises = Promises()
        with self._service("two", WORKERS) as operator:
            rig = rigged(operator, self._store, self._histories)
            rate = setting("BENCH_RATE", 0.0) or saturation(rig) / 2
            switches(rig, rate, promises)
            refusals(rig, rate, self._store, promises)
            two, peak = resting_bytes(rig), peak_bytes(rig)
            rollbacks(rig, rate, "from its files", promises)
        with self._service("warm", WORKERS, {KEEP_WARM: "true"}) as operator:
            operator.keeps_former = True
            rig = replace(rig, operator=operator)
            rollbacks(rig, rate, "kept warm", promises)
            warm = resting_bytes(rig)
        with self._service("one", 1) as operator:
            one = resting_bytes(replace(rig, operator=operator))
        print("\nmemory of all processes together, without Redis (PSS), GiB:")
        print(f"one worker {one / GIB:.2f}, two {two / GIB:.2f}, while changing {peak / GIB:.2f}, ")
        print(f"with the former release kept warm {warm / GIB:.2f}")
        promises.at_most("PSS of two workers / one", two / one, PSS_RATIO)
        return promises.told()

    @contextmanager
    def _service(
        self, name: str, workers: int, env: Mapping[str, str] = NOTHING
    ) -> Iterator[Operator]:
        folder = self._folder / name
        folder.mkdir()
        with operated(folder, {**self._env, **env}, workers) as operator:
            yield operator


def main() -> int:
    end_on_sigterm()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sightline-swap-") as name,
            redis_server(Path(name)) as redis_url,
        ):
            return 0 if Bench(Path(name), prepared(), redis_url).run() else 1
    except LoadTestFailed as error:
        print(f"bench-swap: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

"""A service on two large releases, people in it, and the rate that it bears."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest import expected
from loadtest.background import Background, Load, background
from loadtest.durations import HEADER, line, summarise
from loadtest.expected import Judge
from loadtest.open_loop import Driver, drive
from loadtest.operating import Operator
from loadtest.processes import LoadTestFailed
from loadtest.reference.bundle import Actions
from loadtest.switches import n_bad

FIRST_RATE, RATE_STEP, POINT_S, SLO_MS = 50.0, 1.3, 4.0, 10.0


@dataclass(frozen=True, slots=True)
class Rig:
    """A service, its people, and what each release answers to them.

    Attributes:
        names: the two releases; the first is live when the rig is made.
    """

    operator: Operator
    names: tuple[str, str]
    requests: Sequence[bytes]
    judge: Judge

    @contextmanager
    def load(self, per_s: float) -> Iterator[Background]:
        with background(Load(self.operator.url, self.requests, per_s, self.judge)) as driver:
            yield driver

    @property
    def other(self) -> str:
        """The release that is not live."""
        first, second = self.names
        return second if self.operator.live == first else first


def setting(name: str, default: float) -> float:
    return float(os.environ.get(name, default))


def prepared() -> Path:
    """The store of both releases, made now if need be."""
    if "BENCH_STORE" in os.environ:
        return Path(os.environ["BENCH_STORE"])
    items = str(int(setting("BENCH_ITEMS", 1_000_000)))
    command = [sys.executable, "-m", "loadtest.big_release", "--items", items]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        raise LoadTestFailed(f"the releases cannot be made:\n{made.stdout}")
    return Path(made.stdout.splitlines()[-1])


def rigged(operator: Operator, store: Path, histories: Mapping[str, Actions]) -> Rig:
    """Teaches the service people, and learns what either release says to them."""
    first = operator.live
    second = next(path.name for path in sorted(store.iterdir()) if _is_other(path, first))
    requests = expected.teach(operator.url, histories)
    lists = {first: expected.learn(operator.url, requests, first)}
    operator.activate(second)
    lists[second] = expected.learn(operator.url, requests, second)
    operator.activate(first)
    blocked = {name: expected.blocked(store / name) for name in lists}
    return Rig(operator, (first, second), requests, Judge(lists, blocked))


def _is_other(path: Path, first: str) -> bool:
    return (path / "manifest.json").is_file() and path.name != first


def saturation(rig: Rig) -> float:
    """The highest rate (1/s) with p95 within 10 ms; each point has two tries.

    Raises:
        LoadTestFailed: none holds.
    """
    drive(Driver(rig.operator.url, rig.requests, FIRST_RATE), POINT_S)  # new workers are cold
    rate, best = FIRST_RATE, 0.0
    print(f"how much it bears: p95 <= {SLO_MS:.0f} ms, {POINT_S:.0f} s a point", HEADER, sep="\n")
    while _holds(rig, rate) or _holds(rig, rate):
        rate, best = rate * RATE_STEP, rate
    if not best:
        raise LoadTestFailed(f"not even {FIRST_RATE:.0f}/s within {SLO_MS:.0f} ms: set BENCH_RATE")
    return best


def _holds(rig: Rig, rate: float) -> bool:
    calls = drive(Driver(rig.operator.url, rig.requests, rate, check=rig.judge), POINT_S)
    summary = summarise(f"{rate:.0f}/s", calls.ms, calls.errors, POINT_S)
    print(line(summary), flush=True)
    return not n_bad(calls) and summary.p95_ms <= SLO_MS

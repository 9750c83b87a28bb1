"""What calls met while releases changed under them, beside what they met in between."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.calls import Calls, Outcome
from loadtest.operating import Change

SETTLED_S = 1.0
"""How long after a change calls are still counted to neither side."""


@dataclass(frozen=True, slots=True)
class Part:
    """The calls of one kind of time: how many, and percentiles in milliseconds."""

    name: str
    n: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def __str__(self) -> str:
        times = f"p50 {self.p50_ms:7.2f}  p99 {self.p99_ms:7.2f}  max {self.max_ms:7.1f} ms"
        return f"{self.name:<34}{self.n:8} calls  {times}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One change as clients saw it, in seconds from the command.

    Attributes:
        first_s: to the first answer of the new family.
        last_s: to the last answer of the former one.
        gone_s: to the end of its last process.
    """

    first_s: float
    last_s: float
    gone_s: float


def part(name: str, calls: Calls, mask: NDArray[np.bool_]) -> Part:
    """Sums up the calls of a mask, failed ones included."""
    ms = np.asarray(calls.ms)[mask]
    if not len(ms):
        return Part(name, 0, 0.0, 0.0, 0.0)
    p50, p99 = np.percentile(ms, (50, 99))
    return Part(name, len(ms), float(p50), float(p99), float(ms.max()))


def turn(calls: Calls, change: Change) -> Turn:
    """How long a change took."""
    end_s = np.asarray(calls.due_s) + np.asarray(calls.ms) / 1000
    names = np.asarray(calls.givers)
    own = names == (calls.names.index(change.release) if change.release in calls.names else -1)
    around = (end_s >= change.asked_s) & (end_s < change.gone_s + SETTLED_S)
    is_answer = names != (calls.names.index("") if "" in calls.names else -1)
    first = end_s[around & own].min(initial=np.inf)
    last = end_s[around & ~own & is_answer].max(initial=change.asked_s)
    since = change.asked_s
    return Turn(float(first) - since, float(last) - since, change.gone_s - since)


def parts(calls: Calls, changes: Sequence[Change]) -> tuple[Part, Part, Part, Part]:
    """Steady, during changes, and of the latter: while loading, and while handing over."""
    during, loading, settling = (np.zeros(len(calls.ms), dtype=bool) for _ in range(3))
    for change in changes:
        flipped_s = change.asked_s + turn(calls, change).first_s
        during |= calls.within(change.asked_s, change.gone_s)
        loading |= calls.within(change.asked_s, flipped_s)
        settling |= calls.within(change.gone_s, change.gone_s + SETTLED_S)
    return (
        part("steady", calls, ~during & ~settling),
        part("during changes", calls, during),
        part("  until the first new answer", calls, loading),
        part("  from then until the old are gone", calls, during & ~loading),
    )


def bad(calls: Calls) -> str:
    """Everything that should not be, counted."""
    n = {outcome: calls.count(outcome) for outcome in Outcome}
    return (
        f"{len(calls.ms)} calls: {n[Outcome.STATUS]} non-2xx, "
        f"{n[Outcome.REFUSED] + n[Outcome.LOST]} connection errors "
        f"({n[Outcome.REFUSED]} refused, {n[Outcome.LOST]} cut), {n[Outcome.TIMEOUT]} timeouts, "
        f"{n[Outcome.WRONG]} mixed answers, {n[Outcome.DEGRADED]} degraded"
    )


def n_bad(calls: Calls) -> int:
    """Calls that failed; a degraded answer is one that says what it lacks, and no failure."""
    return calls.errors - calls.count(Outcome.DEGRADED)

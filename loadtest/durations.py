"""Durations of many calls, summed up as a line of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Summary:
    """Calls of one kind; percentiles in milliseconds."""

    name: str
    n: int
    errors: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


HEADER = f"{'':28}{'calls':>8}{'errors':>8}{'calls/s':>10}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"


def summarise(name: str, durations_ms: Sequence[float], errors: int, seconds: float) -> Summary:
    """Sums up all durations of one kind of call, failed ones included."""
    n = len(durations_ms)
    p50, p95, p99 = np.percentile(durations_ms, (50, 95, 99)) if n else (0.0, 0.0, 0.0)
    longest = max(durations_ms, default=0.0)
    return Summary(name, n, errors, n / seconds, float(p50), float(p95), float(p99), longest)


def line(summary: Summary) -> str:
    """One row under `HEADER`; milliseconds."""
    s = summary
    times = "".join(f"{value:9.2f}" for value in (s.p50_ms, s.p95_ms, s.p99_ms, s.max_ms))
    return f"{s.name:28}{s.n:8}{s.errors:8}{s.per_s:10.1f}{times}"

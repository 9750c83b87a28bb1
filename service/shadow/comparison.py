"""How the lists of a staged release differ from what was answered, summed up as they come."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.shadow.samples import Answered, Sample

TOP = 10
LATENCIES_KEPT = 10_000
DISTRIBUTION_STEPS = 10
Z = 1.96
"""A mean lies within this many standard errors of the true one, 95 times in 100."""
HALF_WIDTH = 0.01
"""The report says how many requests give the mean overlap to plus or minus this."""
DIGITS = 4


@dataclass(slots=True)
class Mean:
    """A running mean with its standard error (Welford's method)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.squares += step * (value - self.mean)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of one value; None below two."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else None

    def document(self) -> dict[str, object]:
        spread = self.deviation
        error = None if spread is None else round(spread / math.sqrt(self.n), DIGITS)
        return {"mean": round(self.mean, DIGITS) if self.n else None, "standard_error": error}

    @property
    def needed(self) -> int | None:
        """Values that give the mean to plus or minus `HALF_WIDTH`, 95 times in 100."""
        spread = self.deviation
        return None if spread is None else max(2, math.ceil((Z * spread / HALF_WIDTH) ** 2))


@dataclass(slots=True)
class Tally:
    """The counts of one segment, or of all."""

    overlap: Mean = field(default_factory=Mean)
    overlap_top: Mean = field(default_factory=Mean)
    degraded: list[int] = field(default_factory=lambda: [0, 0])
    """Live, staged."""
    empty: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, live: Answered, staged: Answered) -> None:
        self.overlap.add(overlap(live.item_ids, staged.item_ids))
        self.overlap_top.add(overlap(live.item_ids[:TOP], staged.item_ids[:TOP]))
        for i, answered in enumerate((live, staged)):
            self.degraded[i] += bool(answered.degraded)
            self.empty[i] += not answered.item_ids

    def document(self) -> dict[str, object]:
        n = max(1, self.overlap.n)
        return {
            "requests": self.overlap.n,
            "overlap_at_k": self.overlap.document(),
            f"overlap_at_{TOP}": self.overlap_top.document(),
            "degraded": _both(round(count / n, DIGITS) for count in self.degraded),
            "empty": _both(round(count / n, DIGITS) for count in self.empty),
        }


class Comparison:
    """Everything that was compared since the release was staged."""

    def __init__(self) -> None:
        self._all = Tally()
        self._segments: dict[str, Tally] = {}
        self._steps = [0] * (DISTRIBUTION_STEPS + 1)
        self._score = Mean()
        self._scores = (Mean(), Mean())
        self._latencies = tuple(deque[float](maxlen=LATENCIES_KEPT) for _ in range(2))
        self._against: dict[str, int] = {}

    def add(self, sample: Sample, staged: Answered) -> None:
        """One request, answered by both."""
        live = sample.live
        self._against[sample.release] = self._against.get(sample.release, 0) + 1
        self._all.add(live, staged)
        self._segments.setdefault(sample.segment, Tally()).add(live, staged)
        self._steps[int(overlap(live.item_ids, staged.item_ids) * DISTRIBUTION_STEPS)] += 1
        for i, answered in enumerate((live, staged)):
            self._latencies[i].append(answered.duration_ms)
        if live.score is not None and staged.score is not None:
            self._score.add(staged.score - live.score)
            self._scores[0].add(live.score)
            self._scores[1].add(staged.score)

    def document(self) -> dict[str, object]:
        """The report, as `GET /v1/releases/{name}/shadow` gives it."""
        steps = {f"{i / DISTRIBUTION_STEPS:.1f}": n for i, n in enumerate(self._steps)}
        return {
            "against": self._against,
            **self._all.document(),
            "requests_needed": self._all.overlap.needed,
            "overlap_distribution": steps,
            "score": {
                **_both(mean.document()["mean"] for mean in self._scores),
                "difference": self._score.document(),
            },
            "latency_ms": _both(_quantiles(values) for values in self._latencies),
            "segments": {name: tally.document() for name, tally in sorted(self._segments.items())},
        }


def overlap(some: Sequence[str], others: Sequence[str]) -> float:
    """Share of the longer list that both have; 1 for two empty ones."""
    longer = max(len(some), len(others))
    return len(set(some) & set(others)) / longer if longer else 1.0


def _both(values: Iterable[object]) -> dict[str, object]:
    live, staged = values
    return {"live": live, "staged": staged}


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    order = sorted(values)
    ranks = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        name: round(order[int(rank * (len(order) - 1))], 3) if order else None
        for name, rank in ranks.items()
    }

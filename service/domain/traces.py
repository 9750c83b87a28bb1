"""What each stage did for one request: metrics, logs, headers and explanations read it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from service.domain.arrays import NO_HASHES, Hashes, Rows
from service.domain.identity import NOBODY, Person
from service.domain.searches import Found

TOP = 20
"""How many of the best candidates went is told: a list whose top went is a poorer list."""


@dataclass(slots=True)
class StageRecord:
    """One stage of one request; `error` is the outcome word of what was forgiven, if anything."""

    name: str
    duration_s: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """One explored slot: what could have been drawn, what was, and how likely that was.

    Attributes:
        pool: catalogue rows int64 [n], best first; each is drawn with `propensity`.
    """

    row: int
    pool: Rows
    propensity: float


@dataclass(slots=True)
class Trace:
    """Filled on the way, read once at the end.

    Attributes:
        request_id: echoed to the caller.
        stages: in the order in which they ran.
        degraded: reasons why the answer is less than it could be, in order, each once.
        removed: how many candidates each rule removed.
        top_removed: how many of the twenty best candidates the rules removed; None before.
        shown: hashes of what the pages before have shown, uint64 [n].
        draws: the explored slots.
        search: how the nearest items were found; None where nobody looked.
        notes: facts for `explain`, by name; JSON values only.
        person: whose history the answer was made from.
    """

    request_id: str
    stages: list[StageRecord] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    top_removed: int | None = None
    shown: Hashes = field(default_factory=lambda: NO_HASHES)
    draws: tuple[Draw, ...] = ()
    search: Found | None = None
    notes: dict[str, object] = field(default_factory=dict)
    started_s: float = field(default_factory=time.perf_counter)
    person: Person = NOBODY

    def stage(self, name: str, forgive: str | None = None) -> "StageTimer":
        """Times a `with` block.

        Args:
            name: the stage's word.
            forgive: the reason to note in `degraded` when the block raises: the request then
                goes on. None lets errors through.
        """
        return StageTimer(self, name, forgive)

    def degrade(self, reason: str) -> None:
        if reason not in self.degraded:
            self.degraded.append(reason)

    def remove(self, rule: str, n: int) -> None:
        if n:
            self.removed[rule] = self.removed.get(rule, 0) + n

    @property
    def is_thinned(self) -> bool:
        """More than half of the twenty best candidates were removed."""
        return (self.top_removed or 0) > TOP // 2

    def searched(self, found: Found, unknown: Mapping[str, Sequence[str]]) -> None:
        """Notes a search and the words of its filters that no item has, by attribute."""
        self.search = found
        self.notes["search"] = {
            "route": found.route,
            "passing": found.passing,
            "is_second_try": found.is_second_try,
            "unknown": unknown,
        }

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started_s


class StageTimer:
    """Context manager of `Trace.stage`."""

    __slots__ = ("_began_s", "_forgive", "_name", "_trace")

    def __init__(self, trace: Trace, name: str, forgive: str | None) -> None:
        self._trace = trace
        self._name = name
        self._forgive = forgive
        self._began_s = 0.0

    def __enter__(self) -> Self:
        self._began_s = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        forgiven = self._forgive is not None and isinstance(error, Exception)
        word = None if error is None else getattr(error, "outcome", "exception")
        self._trace.stages.append(
            StageRecord(self._name, time.perf_counter() - self._began_s, word)
        )
        if forgiven and self._forgive is not None:
            self._trace.degrade(self._forgive)
        return forgiven

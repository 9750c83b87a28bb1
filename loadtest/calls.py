"""Every call of an open loop: when it was due, how long it took, how it ended, who answered."""

import time
from array import array
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Outcome(IntEnum):
    """How a call ended."""

    OK = 0
    STATUS = 1  # an answer other than 2xx
    REFUSED = 2  # no connection was made
    LOST = 3  # the connection ended before the answer did
    TIMEOUT = 4
    WRONG = 5  # an answer that does not hold what it should
    DEGRADED = 6  # an answer that says so itself


class Request(NamedTuple):
    """The number of a call, when it should have left and when it did (`time.monotonic`)."""

    number: int
    due_s: float
    begun_s: float


@dataclass(slots=True)
class Calls:
    """Every call of a run, in the order in which they ended.

    Attributes:
        due_s: when each should have left, on the clock `time.monotonic`.
        late_ms: how much later the driver sent it, or queued it for want of a connection.
        ms: from due to the whole answer, or to the failure.
        givers: what `Check` named, by number in `names`.
    """

    due_s: "array[float]" = field(default_factory=lambda: array("d"))
    late_ms: "array[float]" = field(default_factory=lambda: array("d"))
    ms: "array[float]" = field(default_factory=lambda: array("d"))
    outcomes: "array[int]" = field(default_factory=lambda: array("b"))
    givers: "array[int]" = field(default_factory=lambda: array("b"))
    names: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        return len(self.ms) - self.count(Outcome.OK)

    def count(self, outcome: Outcome) -> int:
        return self.outcomes.count(outcome)

    def within(self, start_s: float, end_s: float) -> NDArray[np.bool_]:
        """Which calls were due in a span of time."""
        due_s = np.asarray(self.due_s)
        return (due_s >= start_s) & (due_s < end_s)

    def note(self, request: Request, outcome: Outcome, giver: str = "") -> None:
        if giver not in self.names:
            self.names.append(giver)
        self.due_s.append(request.due_s)
        self.late_ms.append((request.begun_s - request.due_s) * 1000)
        self.ms.append((time.monotonic() - request.due_s) * 1000)
        self.outcomes.append(outcome)
        self.givers.append(self.names.index(giver))

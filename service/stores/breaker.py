"""Stops asking a server that does not answer, and asks again ever more rarely."""

import random
import time
from collections.abc import Callable
from enum import StrEnum


class State(StrEnum):
    """What the breaker lets through: everything, one probe, nothing."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Breaker:
    """Opens after some failures in a row, and lets nothing through but one probe per pause.

    The pause is a second, ±20 %, as long as a server is down: a probe costs nobody anything, and
    an outage ends soon after it is over. A server that comes back only to fail again gets pauses
    of 2, 4, 8 … seconds; the shortest one again when it was well for as long as the longest.
    """

    JITTER = 0.2

    def __init__(
        self,
        failures: int,
        open_s: float,
        open_max_s: float,
        on_change: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold, self._open_s, self._open_max_s = failures, open_s, open_max_s
        self._on_change, self._clock = on_change, clock
        self._failures = 0
        self._pauses = -1
        self._closed_at_s = clock()
        self._probe_at_s = 0.0
        self.state = State.CLOSED

    @property
    def is_closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def wait_s(self) -> float:
        """Seconds until the next probe is due."""
        return max(0.0, self._probe_at_s - self._clock())

    def succeed(self) -> None:
        """An operation went through."""
        self._failures = 0
        if not self.is_closed:
            self._closed_at_s = self._clock()
            self._change(State.CLOSED)

    def fail(self) -> bool:
        """An operation failed; True when this opened the breaker."""
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self.trip()
            return True
        if self.is_closed and self._failures >= self._threshold:
            self.trip()
            return True
        return False

    def trip(self) -> None:
        """Opens at once."""
        if self.is_closed:
            was_well = self._clock() - self._closed_at_s >= self._open_max_s
            self._pauses = 0 if was_well else self._pauses + 1
        pause_s = min(self._open_s * 2.0 ** min(self._pauses, 30), self._open_max_s)
        spread = 1.0 + random.uniform(-self.JITTER, self.JITTER)
        self._probe_at_s = self._clock() + pause_s * spread
        self._change(State.OPEN)

    def half_open(self) -> None:
        """The probe is on its way."""
        self._change(State.HALF_OPEN)

    def _change(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(state)

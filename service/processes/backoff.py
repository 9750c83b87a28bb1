"""How long to wait before something that ends too soon is started again."""

STABLE_S = 10.0
"""What lived this long did not end because of how it was started."""
FIRST_S = 0.5
LONGEST_S = 30.0


class Backoff:
    """Starts again at once after the first end, then after pauses that double up to half a minute.

    Times are seconds of any one clock.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._not_before_s = 0.0

    def ended(self, lived_s: float, now_s: float) -> None:
        """Something ended that should not have."""
        self._in_a_row = 1 if lived_s >= STABLE_S else self._in_a_row + 1
        steps = self._in_a_row - 2
        pause_s = 0.0 if steps < 0 else min(LONGEST_S, FIRST_S * 2.0 ** min(steps, 10))
        self._not_before_s = now_s + pause_s

    def wait_s(self, now_s: float) -> float:
        """What is left of the pause."""
        return max(0.0, self._not_before_s - now_s)

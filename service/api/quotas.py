"""How many events one person may send: a token bucket each, bounded in number."""

from collections import OrderedDict

REMEMBERED = 20_000
"""People whose buckets are kept; somebody forgotten starts with a full one."""


class Quota:
    """Lets `per_s` events a second pass for each person, and `burst` at once."""

    def __init__(self, per_s: float, burst: int, remembered: int = REMEMBERED) -> None:
        self._per_s, self._burst, self._remembered = per_s, burst, remembered
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user: str, now_s: float) -> bool:
        """Whether one more event of `user` may pass at `now_s` (any clock, in seconds)."""
        left, at_s = self._buckets.pop(user, (float(self._burst), now_s))
        left = min(self._burst, left + max(0.0, now_s - at_s) * self._per_s)
        may_pass = left >= 1.0
        self._buckets[user] = (left - 1.0 if may_pass else left, now_s)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return may_pass

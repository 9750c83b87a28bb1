"""Popularity: all time, of a recent window, and rolling with the calendar."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.cases import Cases
from models.evaluation.scorers import NOTHING
from models.interactions import Log, positive
from service.domain.arrays import Scores

DAY_S = 86_400
WINDOWS_DAYS = (3, 7, 14, 28, 56)


@dataclass(frozen=True, slots=True)
class Popular:
    """The same list for everyone: positive events per item before an instant."""

    name: str
    shares: Scores
    information: str = NOTHING
    fresh: bool = False

    def score(self, cases: Cases, part: slice) -> Scores:
        return np.broadcast_to(self.shares, (part.stop - part.start, len(self.shares)))


@dataclass(frozen=True, slots=True)
class RollingPopular:
    """Positive events of the last whole days before the day of the case, one list per day."""

    name: str
    first_day: int
    until_day: NDArray[np.int32]
    window_days: int
    information: str = NOTHING
    fresh: bool = True

    def score(self, cases: Cases, part: slice) -> Scores:
        days, which = np.unique(cases.start_s[part] // DAY_S, return_inverse=True)
        return np.stack([self.shares(int(day)) for day in days])[which]

    def shares(self, day: int) -> Scores:
        """Counts of the window that ends at midnight before `day` over the largest one."""
        last = len(self.until_day) - 1
        end = min(max(day - self.first_day, 0), last)
        start = min(max(day - self.first_day - self.window_days, 0), last)
        return _over_largest(self.until_day[end] - self.until_day[start])


def all_time(log: Log, until_s: int) -> Popular:
    """Positive events of the whole log before `until_s`."""
    return Popular("Popularity, all time", _counts(log, 0, until_s))


def recent(log: Log, until_s: int, window_days: int) -> Popular:
    """Positive events of the days before `until_s`."""
    shares = _counts(log, until_s - window_days * DAY_S, until_s)
    return Popular("Popularity, recent window", shares)


def rolling(log: Log, window_days: int) -> RollingPopular:
    """Counts per whole day (UTC), summed up so that a window is one subtraction."""
    good = positive(log)
    day = log.at_s[good] // DAY_S
    first = int(log.at_s.min() // DAY_S)
    n_days = int(log.at_s.max() // DAY_S) - first + 1
    until_day = np.zeros((n_days + 1, log.items.n), dtype=np.int32)
    np.add.at(until_day, (day - first + 1, log.item[good]), 1)
    until_day.cumsum(axis=0, out=until_day)
    return RollingPopular("Popularity, rolling", first, until_day, window_days)


def _counts(log: Log, from_s: int, until_s: int) -> Scores:
    chosen = positive(log) & (log.at_s >= from_s) & (log.at_s < until_s)
    return _over_largest(np.bincount(log.item[chosen], minlength=log.items.n))


def _over_largest(counted: NDArray[np.integer]) -> Scores:
    return (counted / max(1, int(counted.max()))).astype(np.float32)

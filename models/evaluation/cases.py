"""Prediction cases as values: whose next order is to be guessed, when, and from which past."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.interactions import Log, positive
from service.domain.arrays import Mask, Rows, Times
from service.towers.features import History

SHOWN_AGE_S = 60.0
"""Age of the lines that the live protocol shows of the running order."""
SEGMENTS: tuple[tuple[str, int, int], ...] = (
    ("new", 0, 0),
    ("sparse", 1, 4),
    ("casual", 5, 49),
    ("power", 50, np.iinfo(np.int64).max),
)
"""Name, fewest and most earlier actions; the bounds of the service's own segments."""

_SLICE = 512


@dataclass(frozen=True, slots=True)
class Past:
    """The events that a run of cases may know, flat: case by case, oldest first.

    `case` int64 counts from 0 within the run; `newest` int64 is 0 for a case's newest event.
    """

    n_cases: int
    case: Rows
    row: Rows
    action: Rows
    at_s: Times
    age_s: Times
    newest: Rows

    def keep(self, mask: Mask) -> Self:
        """The events where the mask is true; `newest` keeps counting all events."""
        names = ("case", "row", "action", "at_s", "age_s", "newest")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases sorted by start. All that is known of a case happened before it starts.

    The past of case i is `by_user[past_from[i]:past_to[i]]` plus the `shown` lines of the running
    order. Targets and shown lines are flat, with one offset more than there are cases.
    """

    log: Log
    by_user: Rows
    user: NDArray[np.int32]
    start_s: NDArray[np.int64]
    past_from: Rows
    past_to: Rows
    targets: Rows
    target_at: Rows
    shown: Rows
    shown_at: Rows
    only_new: bool

    @property
    def n(self) -> int:
        return len(self.user)

    @property
    def n_earlier(self) -> Rows:
        """Events of the user before the case starts, int64 [n]; decides the segment."""
        return self.past_to - self.past_from

    def target_rows(self, part: slice) -> list[Rows]:
        """The distinct target rows of each case of the part."""
        return [
            self.targets[self.target_at[i] : self.target_at[i + 1]]
            for i in range(*part.indices(self.n))
        ]

    def parts(self, size: int = _SLICE) -> list[slice]:
        """Runs of cases small enough to hold a score matrix of."""
        return [slice(i, min(i + size, self.n)) for i in range(0, self.n, size)]

    def take(self, chosen: Rows) -> "Cases":
        """The chosen cases, by ascending position."""
        at, targets = _take_lists(self.target_at, self.targets, chosen)
        shown_at, shown = _take_lists(self.shown_at, self.shown, chosen)
        names = ("user", "start_s", "past_from", "past_to")
        picked = {name: getattr(self, name)[chosen] for name in names}
        return replace(
            self, targets=targets, target_at=at, shown=shown, shown_at=shown_at, **picked
        )

    def past(self, part: slice, last: int | None) -> Past:
        """The newest `last` events of each case of the part, or all of them."""
        start_s = self.start_s[part].astype(np.float64)
        case, event = expand(self.past_from[part], self.past_to[part])
        event = self.by_user[event]
        log = self.log
        row, action, at_s = log.item[event], log.action[event], log.at_s[event]
        if len(self.shown):
            shown_at = self.shown_at[part.start : part.stop + 1]
            shown_case, shown = expand(shown_at[:-1], shown_at[1:])
            merged = np.argsort(np.concatenate([case, shown_case]), kind="stable")
            case = np.concatenate([case, shown_case])[merged]
            row = np.concatenate([row, self.shown[shown]])[merged]
            action = np.concatenate([action, self._shown_action(len(shown))])[merged]
            at_s = np.concatenate([at_s, start_s[shown_case] - SHOWN_AGE_S])[merged]
        ends = np.cumsum(np.bincount(case, minlength=len(start_s)))
        newest = ends[case] - 1 - np.arange(len(case))
        past = Past(
            n_cases=len(start_s),
            case=case,
            row=row.astype(np.int64),
            action=action.astype(np.int64),
            at_s=at_s.astype(np.float64),
            age_s=start_s[case] - at_s,
            newest=newest,
        )
        return past if last is None else past.keep(newest < last)

    def _shown_action(self, n: int) -> NDArray[np.int8]:
        """The action type of shown lines: the most frequent positive one of the log."""
        good = self.log.action[positive(self.log)]
        return np.full(n, np.bincount(good).argmax(), dtype=np.int8)

    def histories(self, part: slice, last: int | None) -> list[History]:
        """What the user tower may see of each case of the part."""
        past = self.past(part, last)
        ends = np.cumsum(np.bincount(past.case, minlength=past.n_cases))[:-1]
        split = (np.split(column, ends) for column in (past.row, past.action, past.at_s))
        return [History(*columns) for columns in zip(*split, strict=True)]


def segment_masks(cases: Cases) -> dict[str, Mask]:
    """Which cases belong to each segment, by number of earlier actions."""
    n = cases.n_earlier
    return {name: (n >= fewest) & (n <= most) for name, fewest, most in SEGMENTS}


def keep_targets(cases: Cases, keep: Mask) -> Cases:
    """Drops targets, then the cases that have none left."""
    left = np.concatenate([[0], np.cumsum(keep)])[cases.target_at].astype(np.int64)
    reduced = replace(cases, targets=cases.targets[keep], target_at=left)
    some = np.flatnonzero(np.diff(left) > 0).astype(np.int64)
    return reduced if len(some) == cases.n else reduced.take(some)


def expand(first: Rows, until: Rows) -> tuple[Rows, Rows]:
    """All positions of the ranges `first[i]:until[i]`, with the i of each."""
    count = until - first
    which = np.repeat(np.arange(len(count), dtype=np.int64), count)
    ends = np.cumsum(count)
    within = np.arange(len(which), dtype=np.int64) - (ends - count)[which]
    return which, first[which] + within


def _take_lists(at: Rows, flat: Rows, chosen: Rows) -> tuple[Rows, Rows]:
    _, positions = expand(at[chosen], at[chosen + 1])
    new_at = np.concatenate([[0], np.cumsum(at[chosen + 1] - at[chosen])]).astype(np.int64)
    return new_at, flat[positions]

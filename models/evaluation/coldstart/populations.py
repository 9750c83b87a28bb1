"""Whom cold start is measured on: people with few actions, as logged and made by cutting."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from models.evaluation.cases import Cases
from models.evaluation.protocols import new_items, next_orders, sample
from models.interactions import ORDER_GAP_S, Log, positive

FEW, SOME = (1, 4), (5, 9)
"""Actions of sparse people, and of those who have just stopped to be."""
ENOUGH = 10
"""Whose history is cut has at least so many actions: the same cases at every length."""
STALE_S = 90 * 86_400
INTERESTS = 3


@dataclass(frozen=True, slots=True)
class Period:
    """The orders that start in [from_s, until_s); targets are the items new to the person.

    Attributes:
        most: cases of one population, drawn with `seed` where there are more.
    """

    log: Log
    from_s: int
    until_s: int | None
    most: int
    seed: int

    def with_actions(self, fewest: int, most: int) -> Cases:
        """Every order of people with so many actions before it, as logged."""
        cases = new_items(self._orders(None))
        n = cases.n_earlier
        return self._some(cases.take(np.flatnonzero((n >= fewest) & (n <= most))))

    def cut(self, fewest: int, most: int) -> Cases:
        """Orders of well-known people, of whom only the last few actions are told.

        How many is drawn for each case, evenly from `fewest` to `most`. Nothing older exists for
        anybody: neither for the methods, nor for what counts as new to the person.
        """
        cases = self._orders(3)
        cases = self._some(cases.take(np.flatnonzero(cases.n_earlier >= ENOUGH)))
        n = np.random.default_rng(self.seed).integers(fewest, most, cases.n, endpoint=True)
        return new_items(replace(cases, past_from=cases.past_to - n))

    def stale(self) -> Cases:
        """Orders of people whose newest action is more than 90 days old."""
        cases = new_items(self._orders(None))
        cases = cases.take(np.flatnonzero(cases.n_earlier > 0))
        newest_s = self.log.at_s[cases.by_user[cases.past_to - 1]]
        return self._some(cases.take(np.flatnonzero(cases.start_s - newest_s > STALE_S)))

    def _orders(self, per_user: int | None) -> Cases:
        most = self.log.n if per_user is None else per_user
        return next_orders(self.log, self.from_s, self.until_s, most)

    def _some(self, cases: Cases) -> Cases:
        return sample(cases, self.most, self.seed)


def declared_interests(cases: Cases) -> tuple[Cases, list[tuple[str, ...]]]:
    """What first-timers would have said: the commonest categories of what they bought *later*.

    Of orders that start after the case's own, so no target takes part; people who never came
    back are left out. Real people declare less well what they will buy.

    Returns:
        The cases of people who came back, and up to three categories of each.
    """
    log, good = cases.log, positive(cases.log)
    until = np.searchsorted(log.user[cases.by_user], cases.user, side="right")
    kept, said = [], []
    for case in range(cases.n):
        own = cases.by_user[cases.past_to[case] : until[case]]
        is_later = log.at_s[own] > cases.start_s[case] + ORDER_GAP_S
        later = own[is_later & good[own] & (log.order[own] != log.order[own[0]])]
        names = Counter(log.items.categories[row] for row in log.item[later].tolist())
        if names:
            kept.append(case)
            said.append(tuple(name for name, _ in names.most_common(INTERESTS)))
    return cases.take(np.array(kept, dtype=np.int64)), said

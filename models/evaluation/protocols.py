"""Which orders become cases, and what their targets are: the protocols of the evaluation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.evaluation.cases import Cases, expand, keep_targets
from models.interactions import Log, positive
from service.domain.arrays import Mask, Rows

ORDERS_PER_USER = 3
"""At most this many orders of one user are cases, so that no busy buyer decides the result."""
LIVE_MIN_LINES = 10
LIVE_FIXED_LINES = 5


def next_orders(
    log: Log, from_s: int, until_s: int | None = None, per_user: int = ORDERS_PER_USER
) -> Cases:
    """One case per order that starts in the period and holds a positive; a user's first few.

    The state of a case is everything the user did strictly before the order starts.
    """
    good = positive(log)
    orders, first_event = np.unique(log.order, return_index=True)
    start, user = log.at_s[first_event], log.user[first_event]
    wanted = np.bincount(log.order[good], minlength=orders[-1] + 1)[orders] > 0
    wanted &= start >= from_s
    if until_s is not None:
        wanted &= start < until_s
    orders, start, user = orders[wanted], start[wanted], user[wanted]
    by_user = np.lexsort((orders, start, user))
    nth = np.arange(len(orders)) - np.searchsorted(user[by_user], user[by_user], side="left")
    chosen = np.sort(by_user[nth < per_user])
    chosen = chosen[np.lexsort((orders[chosen], start[chosen]))]
    targets, target_at = _targets(log, good, orders[chosen])
    return _with_pasts(log, user[chosen], start[chosen], targets, target_at)


def sample(cases: Cases, n: int | None, seed: int) -> Cases:
    """A random n of the cases, or all where there are not more."""
    if n is None or n >= cases.n:
        return cases
    drawn = np.random.default_rng(seed).choice(cases.n, size=n, replace=False)
    return cases.take(np.sort(drawn))


def new_items(cases: Cases) -> Cases:
    """The same cases with the items the user had never touched as targets; none, no case.

    Items touched before are to be removed from the lists of every method (`only_new`).
    """
    keep = np.ones(len(cases.targets), dtype=np.bool_)
    n_items = cases.log.items.n
    for part in cases.parts():
        case, at = expand(cases.target_at[part], cases.target_at[part.start + 1 : part.stop + 1])
        past = cases.past(part, None)
        keep[at] = ~np.isin(case * n_items + cases.targets[at], past.case * n_items + past.row)
    return keep_targets(replace(cases, only_new=True), keep)


def next_items(cases: Cases, seed: int) -> Cases:
    """The same cases with a single target: one of the order's items, drawn at random.

    Lines of one order share a time stamp in some data, so no first line can be told.
    """
    rng = np.random.default_rng(seed)
    count = np.diff(cases.target_at)
    keep = np.zeros(len(cases.targets), dtype=np.bool_)
    keep[cases.target_at[:-1] + rng.integers(0, count)] = True
    return keep_targets(cases, keep)


def live_orders(cases: Cases, n_shown: int, seed: int) -> Cases:
    """Orders of ten and more lines, some lines of which are already in the user's past.

    Five random lines are never targets; the first `n_shown` of them are shown with an age of a
    minute. So the targets are the same for every `n_shown`.
    """
    big = np.flatnonzero(np.diff(cases.target_at) >= LIVE_MIN_LINES)
    cases = cases.take(big)
    rng = np.random.default_rng(seed)
    keep = np.ones(len(cases.targets), dtype=np.bool_)
    shown = np.empty((cases.n, n_shown), dtype=np.int64)
    for i in range(cases.n):
        lines = np.arange(cases.target_at[i], cases.target_at[i + 1])
        fixed = rng.permutation(lines)[:LIVE_FIXED_LINES]
        keep[fixed] = False
        shown[i] = cases.targets[fixed[:n_shown]]
    cases = keep_targets(cases, keep)
    at = np.arange(cases.n + 1, dtype=np.int64) * n_shown
    return replace(cases, shown=shown.ravel(), shown_at=at)


def _targets(log: Log, good: Mask, orders: NDArray[np.int32]) -> tuple[Rows, Rows]:
    """The distinct positive rows of each order, flat, in the given order of orders."""
    n_items = log.items.n
    place = np.full(int(log.order.max()) + 1, -1, dtype=np.int64)
    place[orders] = np.arange(len(orders))
    case = place[log.order[good]]
    keys = np.unique((case * n_items + log.item[good])[case >= 0])
    at = np.searchsorted(keys // n_items, np.arange(len(orders) + 1))
    return keys % n_items, at.astype(np.int64)


def _with_pasts(
    log: Log, user: NDArray[np.int32], start_s: NDArray[np.int64], targets: Rows, target_at: Rows
) -> Cases:
    by_user = np.lexsort((log.at_s, log.user)).astype(np.int64)
    origin = int(log.at_s.min())
    span = max(int(log.at_s.max()), int(start_s.max(initial=origin))) - origin + 1
    keys = log.user[by_user].astype(np.int64) * span + (log.at_s[by_user] - origin)
    first = np.searchsorted(keys, user.astype(np.int64) * span)
    until = np.searchsorted(keys, user.astype(np.int64) * span + (start_s - origin))
    none = np.zeros(0, dtype=np.int64)
    return Cases(
        log=log,
        by_user=by_user,
        user=user,
        start_s=start_s,
        past_from=first.astype(np.int64),
        past_to=until.astype(np.int64),
        targets=targets,
        target_at=target_at,
        shown=none,
        shown_at=np.zeros(len(user) + 1, dtype=np.int64),
        only_new=False,
    )

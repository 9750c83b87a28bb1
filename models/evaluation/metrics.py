"""How good ranked lists are: per-case measures, list-wide measures, and intervals over users."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Rows, Scores

Values = NDArray[np.float64]
"""One number per case or per user, float64 [n]."""
Lists = NDArray[np.int32]
"""One ranked list of catalogue rows per case, best first, int32 [cases, depth]."""

DEPTH = 100
"""Length of the lists that are judged."""
RESAMPLES = 1_000
"""Bootstrap resamples behind every interval."""
PERCENTILES = (2.5, 97.5)
MEASURES = ("recall@10", "recall@50", "recall@100", "ndcg@10", "map@10")


@dataclass(frozen=True, slots=True)
class Judged:
    """The ranked lists of one method, and where they hit."""

    lists: Lists
    hits: NDArray[np.bool_]
    n_targets: NDArray[np.int64]

    def measure(self, name: str) -> Values:
        """One value per case, float64 [cases]; `name` is like `recall@50`, `ndcg@10`, `map@10`."""
        kind, _, k = name.partition("@")
        return _KINDS[kind](self.hits, self.n_targets, int(k))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over cases with its 95 % bootstrap interval over users."""

    value: float
    low: float
    high: float


def ranked(scores: Scores, depth: int = DEPTH) -> Lists:
    """The best rows of each score row, best first; equal scores go by the smaller row.

    Args:
        scores: float32 [cases, items]; minus infinity where an item must not be shown.
        depth: Length of the lists, cut to the number of items.

    Raises:
        ValueError: A score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: such an item has no place in a ranking")
    depth = min(depth, scores.shape[1])
    least = np.partition(scores, -depth, axis=1)[:, -depth]
    case, row = np.nonzero(scores >= least[:, np.newaxis])
    order = np.lexsort((row, -scores[case, row], case))
    case, row = case[order], row[order]
    place = np.arange(len(case)) - np.searchsorted(case, case, side="left")
    return row[place < depth].reshape(len(scores), depth).astype(np.int32)


def judge(lists: Lists, targets: Sequence[Rows]) -> Judged:
    """Marks which places of each list hold one of the case's distinct target rows."""
    n_targets = np.array([len(wanted) for wanted in targets], dtype=np.int64)
    flat = np.concatenate(targets)
    is_target = np.zeros((len(lists), 1 + max(int(lists.max()), int(flat.max()))), dtype=np.bool_)
    is_target[np.repeat(np.arange(len(lists)), n_targets), flat] = True
    return Judged(lists, np.take_along_axis(is_target, lists, axis=1), n_targets)


def join(parts: Sequence[Judged]) -> Judged:
    """The parts of one method's cases as one, in order."""
    return Judged(
        np.concatenate([part.lists for part in parts]),
        np.concatenate([part.hits for part in parts]),
        np.concatenate([part.n_targets for part in parts]),
    )


def recall(hits: NDArray[np.bool_], n_targets: NDArray[np.int64], k: int) -> Values:
    """Hits among the first k over min(k, targets)."""
    return np.asarray(hits[:, :k].sum(axis=1) / np.minimum(n_targets, k), dtype=np.float64)


def ndcg(hits: NDArray[np.bool_], n_targets: NDArray[np.int64], k: int) -> Values:
    """Discounted gain 1/log2(rank + 1) over that of the best possible list of length k."""
    gains = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)[np.minimum(n_targets, k) - 1]
    shown = hits[:, :k]
    return np.asarray(shown @ gains[: shown.shape[1]] / ideal, dtype=np.float64)


def average_precision(hits: NDArray[np.bool_], n_targets: NDArray[np.int64], k: int) -> Values:
    """Precision at each hit among the first k, summed, over min(k, targets)."""
    shown = hits[:, :k]
    precision = np.cumsum(shown, axis=1) / np.arange(1, shown.shape[1] + 1)
    return np.asarray((precision * shown).sum(axis=1) / np.minimum(n_targets, k), dtype=np.float64)


_KINDS = {"recall": recall, "ndcg": ndcg, "map": average_precision}


def coverage(lists: Lists, n_items: int, k: int) -> float:
    """Share of the catalogue that is in at least one list's first k places."""
    return len(np.unique(lists[:, :k])) / n_items


def gini(lists: Lists, n_items: int, k: int) -> float:
    """Inequality of how often items are shown in the first k places: 0 even, near 1 a few items.

    All items count, those that are never shown included.
    """
    shown = np.sort(np.bincount(lists[:, :k].ravel(), minlength=n_items).astype(np.float64))
    rank = np.arange(1, n_items + 1)
    return float((2.0 * rank - n_items - 1) @ shown / (n_items * shown.sum()))


class UserBootstrap:
    """Intervals for means over cases, drawing whole users: a user's cases are not independent.

    The same draws serve every method, so differences of methods are paired.
    """

    def __init__(self, users: NDArray[np.int32], seed: int, resamples: int = RESAMPLES) -> None:
        """Draws once; `users` int32 [cases] says whose each case is."""
        _, self._user = np.unique(users, return_inverse=True)
        self._n_users = int(self._user.max()) + 1
        rng = np.random.default_rng(seed)
        self._draws = np.empty((resamples, self._n_users), dtype=np.float32)
        for i in range(resamples):
            drawn = rng.integers(self._n_users, size=self._n_users)
            self._draws[i] = np.bincount(drawn, minlength=self._n_users)
        self._cases = self._draws @ np.bincount(self._user).astype(np.float32)

    @property
    def n_users(self) -> int:
        return self._n_users

    def estimate(self, values: Values) -> Estimate:
        """The mean of one value per case, with its interval."""
        sums = np.bincount(self._user, weights=values, minlength=self._n_users)
        means = (self._draws @ sums.astype(np.float32)) / self._cases
        low, high = np.percentile(means, PERCENTILES)
        return Estimate(float(values.mean()), float(low), float(high))

    def difference(self, ours: Values, theirs: Values) -> Estimate:
        """The mean of `ours - theirs` over the same cases, with its interval."""
        return self.estimate(ours - theirs)

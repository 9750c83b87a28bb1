"""EASE, the linear item-item model in closed form (Steck, WWW 2019), also on time-decayed data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.evaluation.baselines.states import history_matrix
from models.evaluation.cases import Cases
from models.evaluation.scorers import Scorer, known, scaled
from models.interactions import Log, positive
from service.domain.arrays import Rows, Scores

MIN_USERS = 2
"""Items with fewer buyers are left out of the inverse: their column would say next to nothing."""
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """The item-item weights float32 [kept, kept] of the kept catalogue rows."""

    rows: Rows
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ease:
    """The user's items times the item-item weights."""

    model: ItemWeights
    last: int | None
    fallback: Scorer
    name: str = "EASE"
    fresh: bool = False

    @property
    def information(self) -> str:
        return known(self.last)

    def score(self, cases: Cases, part: slice) -> Scores:
        query = history_matrix(cases, part, self.last)[:, self.model.rows]
        out = np.zeros((part.stop - part.start, cases.log.items.n), dtype=np.float32)
        out[:, self.model.rows] = query @ self.model.weights
        return scaled(out, self.fallback.score(cases, part))


def fit_ease(
    log: Log, until_s: int, strength: float, half_life_days: float | None = None
) -> ItemWeights:
    """Fits B = I - P / diag(P), P = (X'X + strength I)^-1, over what happened before `until_s`.

    X is users by items: 1 where the user has a positive event on the item, or, with a half-life,
    0.5^(age of the newest one at `until_s` / half-life).
    """
    bought = _bought(log, until_s, half_life_days)
    users = np.bincount(bought.indices, minlength=log.items.n)
    rows = np.flatnonzero(users >= MIN_USERS).astype(np.int64)
    kept = bought[:, rows]
    gram = np.asarray((kept.T @ kept).toarray(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += np.float32(strength)
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return ItemWeights(rows, weights.astype(np.float32, copy=False))


def _bought(log: Log, until_s: int, half_life_days: float | None) -> sparse.csr_array:
    chosen = np.flatnonzero(positive(log) & (log.at_s < until_s))[::-1]
    keys = log.user[chosen].astype(np.int64) * log.items.n + log.item[chosen]
    _, newest = np.unique(keys, return_index=True)
    events = chosen[newest]
    age_days = (until_s - log.at_s[events]) / _DAY_S
    values = np.ones(len(events)) if half_life_days is None else 0.5 ** (age_days / half_life_days)
    shape = (int(log.user.max()) + 1, log.items.n)
    where = (log.user[events], log.item[events])
    return sparse.csr_array((values.astype(np.float32), where), shape=shape)

"""A user's past as a sparse row over the catalogue: the query of the baselines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.evaluation.cases import Cases, Past
from models.interactions import POSITIVE_CODES
from service.domain.arrays import Rows

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much an older event says: `flat`, by `position` (0.9 per step) or by `age` in days."""

    kind: str = "flat"
    half_life_days: float = 30.0

    def weights(self, past: Past) -> NDArray[np.float64]:
        if self.kind == "position":
            return np.asarray(0.9**past.newest, dtype=np.float64)
        if self.kind == "age":
            return np.asarray(0.5 ** (past.age_s / _DAY_S / self.half_life_days), np.float64)
        return np.ones(len(past.case))


FLAT = Weighting()


def positive_past(cases: Cases, part: slice, last: int | None) -> Past:
    """The positive ones among the newest `last` events."""
    past = cases.past(part, last)
    return past.keep(np.isin(past.action, POSITIVE_CODES))


def history_matrix(
    cases: Cases, part: slice, last: int | None, weighting: Weighting = FLAT
) -> sparse.csr_array:
    """One row per case with the weight of the newest positive event on each item, float32."""
    past = positive_past(cases, part, last)
    n_items = cases.log.items.n
    _, newest = np.unique((past.case * n_items + past.row)[::-1], return_index=True)
    kept = past.keep(len(past.case) - 1 - newest)
    values = weighting.weights(kept).astype(np.float32)
    shape = (past.n_cases, n_items)
    return sparse.csr_array((values, (kept.case, kept.row)), shape=shape, dtype=np.float32)


def counts(cases: Cases, part: slice, last: int | None) -> tuple[Rows, Rows, Rows]:
    """Case, row and number of positive events of every (case, item) pair."""
    past = positive_past(cases, part, last)
    n_items = cases.log.items.n
    pairs, count = np.unique(past.case * n_items + past.row, return_counts=True)
    return pairs // n_items, pairs % n_items, count

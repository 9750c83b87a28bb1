"""Item neighbours: items bought by the same users, or in the same orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.evaluation.baselines.states import FLAT, Weighting, history_matrix
from models.evaluation.cases import Cases
from models.evaluation.scorers import Scorer, known, scaled
from models.interactions import Log, positive
from service.domain.arrays import Scores

SHRINKAGE = 10.0
NEIGHBOURS = 200
_TIE_BREAK = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class ItemKnn:
    """Sum of similarities to the user's items; equal scores go by popularity."""

    similar: sparse.csr_array
    last: int | None
    fallback: Scorer
    weighting: Weighting = FLAT
    name: str = "item-kNN"
    fresh: bool = False

    @property
    def information(self) -> str:
        return known(self.last)

    def score(self, cases: Cases, part: slice) -> Scores:
        query = history_matrix(cases, part, self.last, self.weighting)
        found = (query @ self.similar).toarray()
        popular = self.fallback.score(cases, part)
        return scaled(found, popular) + _TIE_BREAK * popular


def item_similarities(log: Log, until_s: int, rows: str) -> sparse.csr_array:
    """Cosine of item columns over `users` or `orders`, shrunk, float32 [items, items].

    similarity = n_ij / (sqrt(n_i n_j) + 10), over what happened before `until_s`. An item keeps
    the 200 items nearest to it: column j says from which known items j is recommended.
    """
    bought = _bought(log, until_s, log.user if rows == "users" else log.order)
    together = (bought.T @ bought).tocsr()
    count = together.diagonal()
    entries = together.tocoo()
    values = entries.data / (np.sqrt(count[entries.row] * count[entries.col]) + SHRINKAGE)
    apart = entries.row != entries.col
    kept = _nearest(entries.col[apart], values[apart], NEIGHBOURS)
    where = (entries.row[apart][kept], entries.col[apart][kept])
    return sparse.csr_array((values[apart][kept].astype(np.float32), where), shape=together.shape)


def _bought(log: Log, until_s: int, rows: NDArray[np.int32]) -> sparse.csr_array:
    chosen = positive(log) & (log.at_s < until_s)
    shape = (int(rows.max()) + 1, log.items.n)
    ones = np.ones(int(chosen.sum()), dtype=np.float32)
    matrix = sparse.csr_array((ones, (rows[chosen], log.item[chosen])), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def _nearest(group: NDArray[np.int32], values: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Positions of the n largest values of each group."""
    by_value = np.lexsort((-values, group))
    first = np.searchsorted(group[by_value], group[by_value], side="left")
    return by_value[np.arange(len(by_value)) - first < n]

"""Exact search: one matrix-vector product over all items, or over some."""

import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Rows, Scores, Vector, Vectors
from service.indexes.query import check_query

BLOCK_ROWS = 16_384


class ExactIndex:
    """Item index (`service.ports.serving.ItemIndex`) over the item vectors themselves.

    Attributes:
        vectors: float32 [n_items, dim], C order; not copied.
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = np.asarray(vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        """Rows int64 [m] and inner products float32 [m], best first; m = min(n, items).

        Raises:
            IndexUnavailable: the query has the wrong width or is not finite.
        """
        check_query(vector, self.vectors.shape[1])
        return best(self.vectors @ vector, n)

    def search_all(self, queries: Vectors, n: int) -> Rows:
        """Rows int64 [q, m] for finite queries [q, dim]; one pass over the items for all of them.

        Ties at the end of a list may fall otherwise than in `search`.
        """
        n = min(n, len(self.vectors))
        found = [(NO_ROWS, NO_SCORES)] * len(queries)
        for start in range(0, len(self.vectors), BLOCK_ROWS):
            block = queries @ self.vectors[start : start + BLOCK_ROWS].T
            found = [_better(*old, start, new, n) for old, new in zip(found, block, strict=True)]
        return np.array([rows for rows, _ in found]).reshape(len(queries), n)

    def search_among(self, rows: Rows, vector: Vector, n: int) -> tuple[Rows, Scores]:
        """The same among some catalogue rows only; a run of consecutive rows is not copied.

        Raises:
            IndexUnavailable: the query has the wrong width or is not finite.
        """
        check_query(vector, self.vectors.shape[1])
        if not len(rows):
            return NO_ROWS, NO_SCORES
        places, scores = best(self._at(rows) @ vector, n)
        return rows[places], scores

    def _at(self, rows: Rows) -> Vectors:
        first = int(rows[0])
        is_run = rows[-1] - first + 1 == len(rows) and bool((np.diff(rows) == 1).all())
        return self.vectors[first : first + len(rows)] if is_run else self.vectors[rows]


def _better(rows: Rows, scores: Scores, start: int, block: Scores, n: int) -> tuple[Rows, Scores]:
    """The n best of those found so far, best first, and of a block that begins at row `start`."""
    hits = np.flatnonzero(block > scores[-1]) if len(rows) == n else np.arange(len(block))
    if not len(hits):
        return rows, scores
    rows = np.concatenate((rows, hits + start))
    places, scores = best(np.concatenate((scores, block[hits])), n)
    return rows[places], scores


def best(scores: Scores, n: int) -> tuple[Rows, Scores]:
    """Positions and values of the n highest scores, best first; equal ones by position."""
    n = max(0, min(n, len(scores)))
    if n == 0:
        return NO_ROWS, NO_SCORES
    kept = np.argpartition(-scores, n - 1)[:n] if n < len(scores) else np.arange(n)
    kept = kept[np.lexsort((kept, -scores[kept]))]
    return kept, scores[kept]

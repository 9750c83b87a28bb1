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
        places, scores = best(self._scores(rows, vector), n)
        return rows[places], scores

    def _scores(self, rows: Rows, vector: Vector) -> Scores:
        first = int(rows[0])
        is_run = rows[-1] - first + 1 == len(rows) and bool((np.diff(rows) == 1).all())
        if is_run:
            return self.vectors[first : first + len(rows)] @ vector
        return gathered_scores(self.vectors, rows, vector)


CHUNK_ROWS = 1024
MOST_MEMBERS, FEWEST_MEMBERS = 32, 4
"""Of a group of scores whose maximum stands for all of them."""
GROUPS_EACH = 4
"""Groups for each score wanted: with fewer, two of the highest often share one."""


def gathered_scores(vectors: Vectors, rows: Rows, vector: Vector) -> Scores:
    """Inner products of scattered rows, float32 [m].

    Collected in chunks that stay in the processor's cache, which `vectors[rows] @ vector` does not.
    """
    scores = np.empty(len(rows), dtype=np.float32)
    chunk = np.empty((min(CHUNK_ROWS, len(rows)), vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), CHUNK_ROWS):
        some = rows[start : start + CHUNK_ROWS]
        np.take(vectors, some, axis=0, out=chunk[: len(some)], mode="clip")  # raise would buffer
        np.dot(chunk[: len(some)], vector, out=scores[start : start + len(some)])
    return scores


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
    if len(scores) <= 2 * n:
        order = np.argsort(-scores, kind="stable")[:n]
        return order, scores[order]
    kept = _contenders(scores, n)
    values = scores[kept]
    if n < len(kept):
        some = np.argpartition(-values, n - 1)[:n]
        some.sort()
        kept, values = kept[some], values[some]
    order = np.argsort(-values, kind="stable")  # positions ascend, so equal ones keep their order
    return kept[order], values[order]


def nth_best(scores: Scores, n: int) -> float:
    """The n-th highest score; minus infinity where there are fewer."""
    if n > len(scores):
        return -np.inf
    values = scores[_contenders(scores, n)]
    return float(np.partition(values, len(values) - n)[len(values) - n])


def _contenders(scores: Scores, n: int) -> Rows:
    """Positions of all scores that may be among the n highest, ascending.

    The n-th highest maximum of disjoint groups is a score that at least n scores reach, and far
    fewer maxima than scores have to be partitioned for it.
    """
    n_members = min(MOST_MEMBERS, len(scores) // (GROUPS_EACH * n))
    if n_members < FEWEST_MEMBERS:
        return np.arange(len(scores))
    width = len(scores) // n_members
    tops = scores[: width * n_members].reshape(n_members, width).max(axis=0)
    return np.flatnonzero(scores >= np.partition(tops, width - n)[width - n])

"""Blocks of neighbouring rows: most of them cannot hold a near item, and are not looked at.

The builder sorts rows by category, then by vector locality, so that a block of consecutive rows is
a small cloud. How near its nearest item may be follows from its centre and its spread; the items
of a block are scored as one slice of the vectors, without a copy. Filters only leave out blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import NO_ROWS, NO_SCORES, Mask, Rows, Scores, Vector, Vectors
from service.indexes.exact import best, nth_best
from service.indexes.passing import BLOCK_ROWS, Passing

FIRST_LOOK = 3.0
"""Allowed rows of the first look, times the number wanted: they tell how near is near enough."""
GROWTH = 8
"""Times as many blocks in each further look: fewer looks cost less, better floors save rows."""
LOWEST = float(np.finfo(np.float32).min)
"""Below every score: no floor yet."""
DEPTHS = (100, 1000, 10_000)
NEIGHBOURS = 100
MAX_QUERIES = 24
"""16 and 64 users of a million generated items chose the same reach; each costs 20 ms there."""
REACHES = (1.5, 2.0, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 5.0, 7.0)
"""Tried in turn; 3 to 3.5 spreads found 0.95 of the neighbours among a million generated items."""
FAR_REACH = 0.15
"""Spreads looked further where only some blocks hold passing rows; recall by category fell to 0.94
without."""
SPREAD_FLOOR = 1e-4
"""Spread of a block whose vectors are all alike: float32 rounding, not zero."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """A query with its true neighbours, and the scores at `DEPTHS`."""

    query: Vector
    near: Rows
    floors: tuple[float, ...]

    @classmethod
    def of(cls, query: Vector, vectors: Vectors) -> "_Answered":
        scores = vectors @ query
        floors = tuple(nth_best(scores, depth) for depth in DEPTHS)
        return cls(query, best(scores, NEIGHBOURS)[0], floors)


class Blocks:
    """Searches vectors by blocks.

    Attributes:
        vectors: float32 [n, dim], unit length, C order; not copied.
        reach: how far above its centre's score a block's items are looked for, in spreads.
    """

    def __init__(self, vectors: Vectors, reach: float = REACHES[-1]) -> None:
        self.vectors = np.asarray(vectors)
        starts = np.arange(0, len(vectors), BLOCK_ROWS)
        sizes = np.diff(np.append(starts, len(vectors)))
        sums = np.add.reduceat(self.vectors, starts, axis=0)
        self._centres: Vectors = (sums / sizes[:, None]).astype(np.float32)
        # vectors have unit length, so the mean squared distance to the centre is 1 - |centre|^2
        within = np.clip(1.0 - np.square(self._centres).sum(axis=1), 0.0, 1.0)
        spread = np.sqrt(within / self.vectors.shape[1])
        self._spread: Scores = np.maximum(spread, SPREAD_FLOOR).astype(np.float32)
        self._depths: NDArray[np.float64] = np.log(DEPTHS)
        self._n_scanned: NDArray[np.float64] = np.full(len(DEPTHS), float(len(vectors)))
        self.reach = reach

    def calibrate(self, queries: Vectors, recall: float) -> None:
        """Set the smallest reach that finds this share of the 100 nearest items.

        A third of what may be missed is kept in reserve: the queries are few, and others.

        Args:
            queries: user vectors as they will be asked, float32 [q, dim].
            recall: at most 1.0; where no reach is far enough the last one is taken.
        """
        known = [_Answered.of(query, self.vectors) for query in queries[:MAX_QUERIES]]
        everything = Passing(np.ones(len(self.vectors), dtype=np.bool_))
        for reach in REACHES:
            self.reach = reach
            found = [self._found(answered, everything) for answered in known]
            if np.mean(found) >= 1.0 - (1.0 - recall) * 2.0 / 3.0:
                break
        self._n_scanned = np.quantile([self._looked_at(each) for each in known], 0.9, axis=0)

    def _found(self, answered: "_Answered", everything: Passing) -> float:
        """The share of the true neighbours that is found."""
        is_available = np.ones(len(self.vectors), dtype=np.bool_)
        rows, _ = self.nearest(answered.query, NEIGHBOURS, everything, is_available)
        return float(np.isin(answered.near, rows).mean())

    def _looked_at(self, answered: "_Answered") -> list[int]:
        """Rows that have to be scanned to find the nearest, for each of `DEPTHS`."""
        bounds = self._bounds(answered.query)
        return [int(np.count_nonzero(bounds >= floor)) * BLOCK_ROWS for floor in answered.floors]

    def expected_rows(self, depth: float) -> float:
        """Rows to be scanned to find this many nearest items, for nine of ten queries."""
        return float(np.interp(np.log(depth), self._depths, self._n_scanned))

    def nearest(
        self, vector: Vector, n: int, passing: Passing, available: Mask
    ) -> tuple[Rows, Scores]:
        """Passing rows in no order, with the n nearest available ones very likely among them.

        The best blocks come first, ever more of them, and each time the n-th best score so
        far is the floor for what is worth looking at. Never fewer than n available ones while so
        many exist: there is no floor before n are found.
        """
        bounds, is_empty = self._bounds(vector), passing.per_block == 0
        if is_empty.any():  # what is near may be in those: the rest is far, and more alike
            bounds += np.float32(FAR_REACH) * self._spread
            bounds[is_empty] = -np.inf
        width = _first_blocks(n, passing, available)
        rows, scores, floor = NO_ROWS, NO_SCORES, LOWEST
        while len(rest := np.flatnonzero(bounds >= floor)):
            if len(rest) > width:
                rest = rest[best(bounds[rest], width)[0]]
            more_rows, more_scores = self.scan(rest, vector, passing, floor)
            rows = np.concatenate((rows, more_rows))
            scores = np.concatenate((scores, more_scores))
            floor = max(LOWEST, nth_best(scores[available[rows]], n))
            bounds[rest] = -np.inf
            width *= GROWTH
        return rows, scores

    def sweep(self, vector: Vector, passing: Passing) -> tuple[Rows, Scores]:
        """All passing rows, ascending, and their scores."""
        return self.scan(np.flatnonzero(passing.per_block), vector, passing)

    def scan(
        self, blocks: Rows, vector: Vector, passing: Passing, floor: float = -np.inf
    ) -> tuple[Rows, Scores]:
        """Passing rows of these blocks, ascending, that score at least `floor`."""
        if not len(blocks):
            return NO_ROWS, NO_SCORES
        firsts, ends = _runs(np.sort(blocks) * BLOCK_ROWS)
        ends = np.minimum(ends, len(self.vectors))
        if len(firsts) == 1 and passing.is_everything and floor == -np.inf:
            return np.arange(firsts[0], ends[0]), self.vectors[firsts[0] : ends[0]] @ vector
        places = np.concatenate(([0], np.cumsum(ends - firsts)))
        scores = np.empty(places[-1], dtype=np.float32)
        keep = np.ones(places[-1], dtype=np.bool_)
        runs = zip(firsts.tolist(), ends.tolist(), places.tolist(), strict=False)
        for first, end, place in runs:
            upto = place + end - first
            np.dot(self.vectors[first:end], vector, out=scores[place:upto])
            if not passing.is_everything:
                keep[place:upto] = passing.between(first, end)
        keep &= scores >= floor
        kept = np.flatnonzero(keep)
        run = np.searchsorted(places, kept, side="right") - 1
        return kept + (firsts - places[:-1])[run], scores[kept]

    def _bounds(self, vector: Vector) -> Scores:
        """The best score that an item of each block may have, float32 [n_blocks]."""
        bounds: Scores = self._centres @ vector
        bounds += np.float32(self.reach) * self._spread
        return bounds


def _first_blocks(n: int, passing: Passing, available: Mask) -> int:
    """Blocks that hold some more than n available passing rows, if all are alike."""
    n_blocks = int(np.count_nonzero(passing.per_block))
    n_held = passing.count * float(np.count_nonzero(available)) / len(available)
    return 1 + int(FIRST_LOOK * n * n_blocks / max(1.0, n_held))


def _runs(starts: Rows) -> tuple[Rows, Rows]:
    """Consecutive blocks as one run: first rows and ends."""
    is_break = np.diff(starts) != BLOCK_ROWS
    firsts = starts[np.concatenate(([True], is_break))]
    ends = starts[np.concatenate((is_break, [True]))] + BLOCK_ROWS
    return firsts, ends


def sample(vectors: Vectors, n: int = MAX_QUERIES) -> Vectors:
    """Evenly spread vectors, to stand for queries where none are known."""
    return vectors[np.linspace(0, len(vectors) - 1, min(n, len(vectors))).astype(np.int64)]

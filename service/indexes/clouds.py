"""Blocks of neighbouring rows as clouds: how many of their items are near, before any is looked at.

The builder makes each block of consecutive rows a small cloud of vectors. Scores of its items are
taken as normally distributed around the score of its centre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Rows, Scores, Vectors
from service.indexes.passing import BLOCK_ROWS, Passing

MISSED = 0.015
"""The share of the nearest items that may be expected in blocks that are not looked at."""
LIKELIEST, LIKELY_SHARE, MOST_SPARSE = 400, 1 / 20, 2.0
"""Blocks that are planned with, in number and of all, whichever is more: a bound on the work for
those who like nothing that passes. More, up to the last times as many, as the fourth root of one
over the share that passes in blocks: what passes has to be looked for in more of them then."""
FEWEST_BLOCKS = 48
"""That are looked at, at least: they cost next to nothing, and some items are in odd company."""
LIKELY_SPREADS = np.float32(2.0)
"""Above the score of its centre a block is likely to hold an item."""
FLOORS = np.array([0.0, -0.06, -0.12, -0.21, -0.36, -0.6, -1.0], dtype=np.float32)
"""Scores that are tried for how near the items wanted are, below that of the nearest."""
SCALES = (0.7, 0.85, 1.0, 1.15, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0)
"""Tried for the spread: along the vectors of users it may be another than on average."""
STEEP = np.float32(8.0)
"""Spreads beyond which none are above: exp overflows later."""
SPREAD_FLOOR = 1e-4
"""Spread of a block whose vectors are all alike: float32 rounding, not zero."""
FLATTEST = np.float32(0.01)
"""The least part of its spread that a block shows to a query."""
LEAST = np.float32(1e-9)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look.

    Attributes:
        blocks: int64 [m], ascending.
        floor: the score above which the items wanted are expected.
        usual: spreads that such items are above the score of their centre, on average.
    """

    blocks: Rows
    floor: float
    usual: float


class Clouds:
    """The blocks of some vectors.

    Attributes:
        centres: mean of the vectors of each block, float32 [n_blocks, dim].
        spread: standard deviation of them in any direction, on average, float32 [n_blocks].
        scale: how many times that scores of users vary.
    """

    def __init__(self, vectors: Vectors) -> None:
        """Args: vectors of unit length, float32 [n, dim]."""
        starts = np.arange(0, len(vectors), BLOCK_ROWS)
        sizes = np.diff(np.append(starts, len(vectors)))
        self.centres: Vectors = (_block_sums(vectors) / sizes[:, None]).astype(np.float32)
        # vectors have unit length, so the mean squared distance to the centre is 1 - |centre|^2
        within = np.clip(1.0 - np.square(self.centres).sum(axis=1), 0.0, 1.0)
        spread = np.sqrt(within / vectors.shape[1])
        self.spread: Scores = np.maximum(spread, SPREAD_FLOOR).astype(np.float32)
        # along its centre a cloud on the unit sphere is thin: a chi-square of small variance
        thin = (1.0 - within / 2.0) / np.maximum(1.0 - within, SPREAD_FLOOR)
        self._thin: Scores = thin.astype(np.float32)
        self._set_scale(1.0)

    def __len__(self) -> int:
        return len(self.centres)

    def fit(self, queries: Vectors, floors: Sequence[float], passing: Passing, n: int) -> None:
        """Take the scale by which n items are expected where n are.

        Args:
            queries: float32 [q, dim].
            floors: score of the n-th passing item for each of them.
            passing: what they were looked for among.
            n: at least 1.
        """
        off, means = [], queries @ self.centres.T
        for scale in SCALES:
            self._set_scale(scale)
            pairs = zip(means, floors, strict=True)
            expected = [self._expected(of_query, floor, passing) for of_query, floor in pairs]
            off.append(abs(math.log(max(float(np.median(expected)), float(LEAST)) / n)))
        self._set_scale(SCALES[int(np.argmin(off))])

    def plan(self, means: Scores, n: float, passing: Passing, available: float) -> Plan | None:
        """Where n available passing items are expected; None if they are not.

        Args:
            means: scores of the centres, float32 [n_blocks].
            n: items wanted.
            passing: what may be found.
            available: the share of items that can be shown.
        """
        near, highest = self._likeliest(means, passing)
        held = passing.held.take(near)
        held *= np.float32(available)
        own = means.take(near)
        per_score = self._per_score(near, own)
        own *= per_score
        tried = np.multiply.outer(FLOORS + np.float32(highest), per_score)
        tried -= own
        expected, wanted = np.log(_share_above(tried) @ held + LEAST), math.log(n)
        if expected[-1] < wanted:
            return None
        floor = highest + float(np.interp(wanted, expected, FLOORS))
        z = np.float32(floor) * per_score
        z -= own
        mass = _share_above(z)
        mass *= held
        ascending = np.sort(mass)
        upto = ascending.cumsum()
        n_missed = int(upto.searchsorted(np.float32(MISSED) * upto[-1]))
        least = ascending[min(n_missed, max(0, len(near) - FEWEST_BLOCKS))]
        usual = float(np.maximum(z, 0.0) @ mass) / float(upto[-1])
        return Plan(near.take(np.flatnonzero(mass >= least)), floor, usual)

    def _set_scale(self, scale: float) -> None:
        self.scale = scale
        spread = self.spread * np.float32(scale)
        self._likely: Scores = spread * LIKELY_SPREADS
        self._sharpness: Scores = np.reciprocal(spread)

    def _likeliest(self, means: Scores, passing: Passing) -> tuple[Rows, float]:
        """The blocks that may hold the nearest passing items, and the score of such an item."""
        reach, blocks = means + self._likely, passing.blocks
        if len(blocks) < len(reach):
            reach = reach.take(blocks)
        highest = float(reach.max())
        sparse = min(MOST_SPARSE, (passing.n_rows_swept / passing.count) ** 0.25)
        n_others = len(blocks) - int(sparse * max(LIKELIEST, LIKELY_SHARE * len(self)))
        if n_others <= 0:
            return blocks, highest
        least = np.partition(reach, n_others)[n_others]
        return blocks.take(np.flatnonzero(reach >= least)), highest

    def _per_score(self, blocks: Rows, means: Scores) -> Scores:
        """Spreads in a score of one: more, the more a query points to the centre, float32 [m]."""
        part = means * means
        part *= self._thin.take(blocks)
        np.subtract(np.float32(1.0), part, out=part)
        np.sqrt(np.maximum(part, FLATTEST, out=part), out=part)
        per_score: Scores = np.divide(self._sharpness.take(blocks), part, out=part)
        return per_score

    def _expected(self, means: Scores, floor: float, passing: Passing) -> float:
        """How many passing items are expected above a score."""
        z = (np.float32(floor) - means) * self._per_score(np.arange(len(self)), means)
        return float(_share_above(z) @ passing.held)


def _share_above(z: Scores) -> Scores:
    """The share of a normal distribution above z, float32; z is cut off where there is none.

    By a logistic function of an odd cubic (Page, 1977).
    """
    np.minimum(z, STEEP, out=z)
    odd = z * z
    odd *= np.float32(0.07056)
    odd += np.float32(1.5957)
    odd *= z
    np.exp(odd, out=odd)
    odd += np.float32(1.0)
    shares: Scores = np.reciprocal(odd, out=odd)
    return shares


def _block_sums(vectors: Vectors) -> Vectors:
    """The sum of the vectors of each block; `np.add.reduceat` adds row by row."""
    n, dim = vectors.shape
    whole = n // BLOCK_ROWS * BLOCK_ROWS
    sums: Vectors = vectors[:whole].reshape(-1, BLOCK_ROWS, dim).sum(axis=1)
    return sums if whole == n else np.vstack((sums, vectors[whole:].sum(axis=0)))

"""Blocks of neighbouring rows: most of them hold hardly a near item, and are not looked at.

The builder sorts rows by category, then by vector locality, so that a block of consecutive rows is
a small cloud. Scores of its items are taken as normally distributed around the score of its
centre: how many of those that pass are near enough follows for each block, before any is looked at.
"""

from dataclasses import dataclass

import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Mask, Rows, Scores, Vector, Vectors
from service.indexes.exact import best, gathered_scores, nth_best
from service.indexes.passing import BLOCK_ROWS, Passing

MISSED = 0.05
"""The share of the nearest items that may be expected in blocks that are not looked at."""
GATHER_SHARE = 0.3
"""Passing items among those of a block, below which collecting them costs less than the block."""
NEAR_BLOCKS = 8
"""Blocks whose items are taken for the nearest, to guess how many of those pass."""
LIKELIEST = 512
"""Blocks from which is guessed how near the n-th item is."""
LIKELY_SPREADS = 2.0
GUESSES, GUESSED = 14, 0.6
"""Scores that are tried for that, and how far below the highest."""
GROWTH = 4
"""Times as many blocks in each further look as have been looked at, at most."""
LOWEST = float(np.finfo(np.float32).min)
"""Below every score: no floor yet."""
STEEP = np.float32(8.0)
"""Spreads beyond which none or all are above: exp overflows later."""
SCALES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
"""Tried in turn for the spread: along the vectors of users it may be more than it is on average."""
MAX_QUERIES, NEIGHBOURS, EACH = 48, 100, 10
"""What is asked for that: so many users, for neighbours among every tenth item."""
SPREAD_FLOOR = 1e-4
"""Spread of a block whose vectors are all alike: float32 rounding, not zero."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is expected of a search, before anything is looked at.

    Attributes:
        means: of the scores in each block, float32 [n_blocks].
        first: the blocks to look at, int64 [m].
        n_rows: how many rows that scores.
        is_gathered: whether one by one, and only those that pass.
        depth: how many of all items, passing or not, are as near as the n-th passing one.
        available: the share of items that can be shown.
    """

    means: Scores
    first: Rows
    n_rows: int
    is_gathered: bool
    depth: float
    available: float


class Blocks:
    """Searches vectors by blocks.

    Attributes:
        vectors: float32 [n, dim], unit length, C order; not copied.
        n_padded: rows up to the end of the last block.
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = np.asarray(vectors)
        starts = np.arange(0, len(vectors), BLOCK_ROWS)
        self.n_padded = len(starts) * BLOCK_ROWS
        sizes = np.diff(np.append(starts, len(vectors)))
        sums = _block_sums(self.vectors)
        self._sizes: Scores = sizes.astype(np.float32)
        self._centres: Vectors = (sums / sizes[:, None]).astype(np.float32)
        # vectors have unit length, so the mean squared distance to the centre is 1 - |centre|^2
        within = np.clip(1.0 - np.square(self._centres).sum(axis=1), 0.0, 1.0)
        spread = np.sqrt(within / self.vectors.shape[1])
        self._spread: Scores = np.maximum(spread, SPREAD_FLOOR).astype(np.float32)

    def calibrate(self, queries: Vectors, recall: float) -> None:
        """Take the spread to be so much that blocks find this share of the nearest items.

        Args:
            queries: user vectors as they will be asked, float32 [q, dim].
            recall: at most 1.0; where no spread is enough the last one is taken.
        """
        asked = np.ascontiguousarray(queries[:MAX_QUERIES])
        n, spread = len(self.vectors), self._spread
        some, everything = Passing(np.arange(n) % EACH == 0), np.ones(self.n_padded, dtype=np.bool_)
        true = [EACH * best(self.vectors[::EACH] @ query, NEIGHBOURS)[0] for query in asked]
        for scale in SCALES:
            self._spread = spread * np.float32(scale)
            plans = [self.plan(self.means(query), NEIGHBOURS, some, 1.0) for query in asked]
            found = [
                np.isin(near, self.nearest(query, NEIGHBOURS, some, everything, plan)[0]).mean()
                for query, near, plan in zip(asked, true, plans, strict=True)
            ]
            if np.mean(found) >= recall:
                break

    def means(self, vector: Vector) -> Scores:
        """The mean score of the items of each block, float32 [n_blocks]."""
        means: Scores = self._centres @ vector
        return means

    def plan(self, means: Scores, n: int, passing: Passing, available: float) -> Plan:
        """Which blocks to look at for the n nearest available passing items, and what it takes.

        Args:
            means: as `means` gives them for the query.
            n: items wanted.
            passing: what may be found.
            available: the share of items that can be shown.
        """
        held = (passing.per_block * available).astype(np.float32)
        shares = _above(self._expected_floor(means, held, n), means, self._spread)
        is_gathered = _is_gathered(passing)
        first = _worth(shares, held, MISSED * n, is_gathered)
        if not len(first):
            first = np.flatnonzero(passing.per_block)
        n_rows = int(passing.per_block[first].sum()) if is_gathered else len(first) * BLOCK_ROWS
        depth = max(float(n), float(shares @ self._sizes))
        return Plan(means, first, n_rows, is_gathered, depth, available)

    def nearest(
        self, vector: Vector, n: int, passing: Passing, available: Mask, plan: Plan
    ) -> tuple[Rows, Scores]:
        """Passing rows in no order, with the n nearest available ones very likely among them.

        The planned blocks come first. The n-th best score so far is then the floor for what is
        worth looking at in the others. Never fewer than n available ones while so many exist:
        every block is worth looking at before n are found.

        Args:
            vector: the query.
            n: items wanted.
            passing: what may be found.
            available: which rows can be shown, in whole blocks, bool [n_padded].
            plan: what `plan` says of all this.
        """
        left = (passing.per_block * plan.available).astype(np.float32)
        rows, scores, floor = NO_ROWS, NO_SCORES, LOWEST
        some, n_looked = plan.first, 0
        while len(some):
            more_rows, more_scores = self._scan(some, floor, vector, n, passing, available)
            rows = np.concatenate((rows, more_rows))
            scores = np.concatenate((scores, more_scores))
            floor = max(floor, nth_best(scores[available[rows]], n))
            left[some] = 0.0
            n_looked += len(some)
            if floor > LOWEST:
                shares = _above(floor, plan.means, self._spread)
                some = _worth(shares, left, MISSED * n, plan.is_gathered)
            else:
                rest = np.flatnonzero(left)
                some = rest[best(plan.means[rest], len(rest))[0]]
            some = some[: GROWTH * n_looked]
        return rows, scores

    def sweep(
        self, vector: Vector, n: int, passing: Passing, available: Mask
    ) -> tuple[Rows, Scores]:
        """The same for certain: all blocks that hold passing rows are looked at."""
        blocks = np.flatnonzero(passing.per_block)
        return self._scan(blocks, LOWEST, vector, n, passing, available)

    def _scan(
        self, blocks: Rows, floor: float, vector: Vector, n: int, passing: Passing, available: Mask
    ) -> tuple[Rows, Scores]:
        """Passing rows of these blocks, those below a floor and below n available ones left out."""
        blocks = np.sort(blocks)
        if _is_gathered(passing):
            rows, scores = self._gather(blocks, vector, passing)
            floor = max(floor, nth_best(scores[available[rows]], n))
            kept = np.flatnonzero(scores >= floor)
            return rows[kept], scores[kept]
        scores = self._all_scores(blocks, vector)
        passes = passing.in_blocks(blocks)[: len(scores)]
        is_free = passes & available.reshape(-1, BLOCK_ROWS)[blocks].ravel()[: len(scores)]
        floor = max(floor, nth_best(scores if is_free.all() else scores[is_free], n))
        kept = np.flatnonzero((scores >= floor) & passes)
        return _rows(blocks, kept), scores[kept]

    def _gather(self, blocks: Rows, vector: Vector, passing: Passing) -> tuple[Rows, Scores]:
        """All passing rows of these blocks, scored one by one."""
        if passing.copied is not None:
            places = passing.places_in(blocks)
            return passing.rows[places], gathered_scores(passing.copied, places, vector)
        rows = _rows(blocks, np.flatnonzero(passing.in_blocks(blocks)))
        return rows, gathered_scores(self.vectors, rows, vector)

    def _all_scores(self, blocks: Rows, vector: Vector) -> Scores:
        """The scores of all rows of some blocks, in their order; runs of blocks are not copied."""
        is_break = np.diff(blocks) != 1
        firsts = blocks[np.concatenate(([True], is_break))] * BLOCK_ROWS
        ends = (blocks[np.concatenate((is_break, [True]))] + 1) * BLOCK_ROWS
        ends = np.minimum(ends, len(self.vectors))
        upto = np.cumsum(ends - firsts)
        scores = np.empty(upto[-1], dtype=np.float32)
        for first, end, place in zip(firsts.tolist(), ends.tolist(), upto.tolist(), strict=True):
            np.dot(self.vectors[first:end], vector, out=scores[place - (end - first) : place])
        return scores

    def _expected_floor(self, means: Scores, held: Scores, n: int) -> float:
        """The score above which n held items are expected."""
        near = np.flatnonzero(held)
        if len(near) > LIKELIEST:
            reach = (means + np.float32(LIKELY_SPREADS) * self._spread)[near]
            near = near[np.argpartition(reach, len(reach) - LIKELIEST)[-LIKELIEST:]]
        means, spreads, held = means[near], self._spread[near], held[near]
        highest = float((means + np.float32(LIKELY_SPREADS) * spreads).max(initial=-1.0))
        floors = np.linspace(highest, highest - GUESSED, GUESSES, dtype=np.float32)
        expected = _above(floors[:, None], means, spreads) @ held
        return float(np.interp(n, expected, floors, right=-1.0))


def near_share(means: Scores, passing: Passing) -> float:
    """The share of items that pass where the nearest ones are."""
    n_near = min(NEAR_BLOCKS, len(means))
    near = np.argpartition(means, len(means) - n_near)[-n_near:]
    return float(passing.per_block[near].mean()) / BLOCK_ROWS


def _above(floor: Scores | float, means: Scores, spreads: Scores) -> Scores:
    """The share of a block's items that are expected above a score, float32 [..., n_blocks].

    The normal distribution's, by a logistic function of an odd cubic (Page, 1977).
    """
    z: Scores = np.subtract(floor, means, dtype=np.float32)
    z /= spreads
    np.minimum(np.maximum(z, -STEEP, out=z), STEEP, out=z)
    cubed = z * z
    cubed *= np.float32(0.07056)
    cubed += np.float32(1.5957)
    cubed *= z
    np.exp(cubed, out=cubed)
    cubed += np.float32(1.0)
    shares: Scores = np.reciprocal(cubed, out=cubed)
    return shares


def _worth(shares: Scores, held: Scores, missed: float, is_gathered: bool) -> Rows:
    """The fewest blocks that leave no more than so many near items in the others, best first."""
    expected = shares * held
    total = float(expected.sum())
    if total <= missed:
        return NO_ROWS
    few = np.flatnonzero(expected > missed / (2 * len(held)))
    order = few[np.argsort(-(shares if is_gathered else expected)[few], kind="stable")]
    upto = int(np.searchsorted(np.cumsum(expected[order]), total - missed))
    return order[: upto + 1]


def _is_gathered(passing: Passing) -> bool:
    """Whether so few pass in the blocks that hold any that they are scored one by one."""
    is_scattered = passing.count < GATHER_SHARE * passing.n_rows_swept
    return passing.copied is not None or is_scattered


def _rows(blocks: Rows, places: Rows) -> Rows:
    """The rows at some places of the rows of some blocks."""
    skipped = (blocks - np.arange(len(blocks))) * BLOCK_ROWS
    return places + skipped[places // BLOCK_ROWS]


def sample(vectors: Vectors, n: int = MAX_QUERIES) -> Vectors:
    """Evenly spread vectors, to stand for queries where none are known."""
    return vectors[np.linspace(0, len(vectors) - 1, min(n, len(vectors))).astype(np.int64)]


def _block_sums(vectors: Vectors) -> Vectors:
    """The sum of the vectors of each block; `np.add.reduceat` adds row by row."""
    n, dim = vectors.shape
    whole = n // BLOCK_ROWS * BLOCK_ROWS
    sums: Vectors = vectors[:whole].reshape(-1, BLOCK_ROWS, dim).sum(axis=1)
    return sums if whole == n else np.vstack((sums, vectors[whole:].sum(axis=0)))

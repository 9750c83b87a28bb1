"""Searches block by block: where to look is planned, and signs tell which items to score."""

import math
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Mask, Rows, Scores, Vector, Vectors
from service.indexes.clouds import Clouds, Plan
from service.indexes.exact import best, gathered_scores, nth_best
from service.indexes.passing import BLOCK_BITS, BLOCK_ROWS, Passing
from service.indexes.signs import ONE_BIT, TWO_BITS, Limits, Packed, SignQuery, Signs

MARGINS = (1.2, 2.5, 10.0)
"""Items expected above the score from which is looked, in those wanted: tried in turn."""
ENOUGH = 0.6
"""The share of the items wanted that have to be there: of what is a little below, most is found."""
NEAR_BLOCKS = 16
"""Blocks whose items are taken for the nearest, to guess how many of those pass."""
FIRST = 3
"""Times the items wanted that are scored first where there is no plan."""
SURES = (2.3, 2.7, 3.2, 4.0)
"""Tried in turn: spreads by which items may seem further than they are and still be found."""
MAX_QUERIES, NEIGHBOURS, EACH = 48, 100, 10
"""What is asked for that: so many users, for neighbours among every tenth item."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes:
        vector: float32 [dim].
        n: items wanted.
        passing: what may be found.
        available: which rows can be shown, in whole blocks, bool [n_padded].
        available_share: how many of all can.
        means: scores of the centres of all blocks, float32 [n_blocks].
        signs: the vector, to be compared with signs.
    """

    vector: Vector
    n: int
    passing: Passing
    available: Mask
    available_share: float
    means: Scores
    signs: SignQuery


class Blocks:
    """The blocks of the vectors of a release, for one thread.

    Attributes:
        vectors: float32 [n, dim], unit length, C order; not copied.
        n_padded: rows up to the end of the last block.
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = np.asarray(vectors)
        self._clouds = Clouds(self.vectors)
        self._signs = Signs(self.vectors, self._clouds.centres, self._clouds.spread, BLOCK_ROWS)
        self._sure = SURES[0]
        self.n_padded = len(self._clouds) * BLOCK_ROWS

    def calibrate(self, queries: Vectors, recall: float) -> None:
        """Learn how much scores of users vary within blocks, and how sure to be of signs.

        Args:
            queries: user vectors as they will be asked, float32 [q, dim].
            recall: at most 1.0; where nothing is enough the last is taken.
        """
        asked, n = np.ascontiguousarray(queries[:MAX_QUERIES]), len(self.vectors)
        some, everything = Passing(np.arange(n) % EACH == 0), np.ones(self.n_padded, dtype=np.bool_)
        wanted = min(NEIGHBOURS, some.count)
        scores = np.ascontiguousarray(asked @ np.ascontiguousarray(self.vectors[::EACH]).T)
        true = [best(of_query, wanted) for of_query in scores]
        self._clouds.fit(asked, [float(scores[-1]) for _, scores in true], some, wanted)
        for self._sure in SURES:
            found = [
                self.nearest(query, wanted, some, everything, 1.0, self.means(query))
                for query in asked
            ]
            pairs = zip(true, found, strict=True)
            hits = [np.isin(EACH * rows, got).mean() for (rows, _), (got, _) in pairs]
            if np.mean(hits) >= recall:
                break

    def means(self, vector: Vector) -> Scores:
        """The scores of the centres of all blocks, float32 [n_blocks]."""
        means: Scores = self._clouds.centres @ vector
        return means

    def nearest(
        self,
        vector: Vector,
        n: int,
        passing: Passing,
        available: Mask,
        available_share: float,
        means: Scores,
    ) -> tuple[Rows, Scores]:
        """Passing rows in no order, with the n nearest available ones very likely among them.

        Never fewer than n available ones while so many exist: where fewer are found than planned,
        it looks further, in the end at all.

        Args:
            vector: the query.
            n: items wanted, at least 1.
            passing: what may be found; not nothing.
            available: which rows can be shown, in whole blocks, bool [n_padded].
            available_share: how many of all can.
            means: what `means` says of the query.
        """
        signs = self._signs.query(vector)
        search = Search(vector, n, passing, available, available_share, means, signs)
        return self._by_plan(search) or self._among_all(search)

    def sweep(
        self, vector: Vector, n: int, passing: Passing, available: Mask
    ) -> tuple[Rows, Scores]:
        """The same for certain: all rows of all blocks that hold passing ones are scored."""
        blocks = passing.blocks
        scores = self._all_scores(blocks, vector)
        passes = passing.in_blocks(blocks)[: len(scores)]
        is_free = passes & available.reshape(-1, BLOCK_ROWS)[blocks].ravel()[: len(scores)]
        floor = nth_best(scores if is_free.all() else scores[is_free], n)
        kept = np.flatnonzero((scores >= floor) & passes)
        skipped = (blocks - np.arange(len(blocks))) * BLOCK_ROWS
        return kept + skipped[kept >> BLOCK_BITS], scores[kept]

    def _by_plan(self, search: Search) -> tuple[Rows, Scores] | None:
        """What `nearest` says; None if what is expected is not there."""
        for margin in MARGINS:
            plan = self._clouds.plan(
                search.means, margin * search.n, search.passing, search.available_share
            )
            if plan is None:
                return None
            rows = self._look(plan, search)
            scores = gathered_scores(self.vectors, rows, search.vector)
            is_near, is_free = scores >= plan.floor, search.available[rows]
            n_near = int(np.count_nonzero(is_near & is_free))
            if n_near >= search.n:
                return rows[is_near], scores[is_near]
            if n_near >= ENOUGH * search.n and np.count_nonzero(is_free) >= search.n:
                return rows, scores
        return None

    def _look(self, plan: Plan, search: Search) -> Rows:
        """Passing rows of the planned blocks that may be above the floor."""
        passing, limits = search.passing, self._limits(plan, search)
        if passing.is_sparse:
            places, counts = passing.places_in(plan.blocks)
            return self._signs.among(self._packed(passing), places, counts, search.signs, limits)
        rows = self._signs.in_blocks(plan.blocks, search.signs, limits)
        return rows if passing.is_everything else rows[passing.at(rows)]

    def _packed(self, passing: Passing) -> Packed:
        """The signs of passing items, kept with the filters from now on."""
        if passing.signs is None:
            rows = passing.keep_rows()
            passing.signs = self._signs.packed(rows)
        return passing.signs

    def _limits(self, plan: Plan, search: Search) -> Limits:
        """How near the items of each planned block have to seem to be above the floor."""
        above = np.float32(plan.floor) - search.means.take(plan.blocks)
        above /= self._clouds.spread.take(plan.blocks)
        one, both = (
            (above - np.float32(doubt)) / np.float32(factor)
            for factor, doubt in (
                self._trust(ONE_BIT, plan.usual),
                self._trust(TWO_BITS, plan.usual),
            )
        )
        return self._signs.limits(one, both, search.signs)

    def _among_all(self, search: Search) -> tuple[Rows, Scores]:
        """The same without a plan: what seems nearest is scored, and then what may be nearer."""
        rows = search.passing.rows
        blocks = rows >> BLOCK_BITS
        told, spread, means = (
            self._signs.told(rows, search.signs),
            self._clouds.spread.take(blocks),
            search.means.take(blocks),
        )
        seems = told * np.float32(self._trust(TWO_BITS, 0.0)[0]) * spread + means
        free = np.flatnonzero(search.available[rows])
        first = free[best(seems[free], FIRST * search.n)[0]]
        scores = gathered_scores(self.vectors, rows[first], search.vector)
        near, found = best(scores, search.n)
        if len(near) < search.n:
            return rows, gathered_scores(self.vectors, rows, search.vector)
        above = (found - means[first[near]]) / (self._clouds.scale * spread[first[near]])
        doubt = self._trust(TWO_BITS, float(np.maximum(above, 0.0).mean()))[1]
        kept = rows[np.flatnonzero(seems + np.float32(doubt) * spread >= found[-1])]
        return kept, gathered_scores(self.vectors, kept, search.vector)

    def _trust(self, told: float, usual: float) -> tuple[float, float]:
        """The factor by which to take what bits tell, and by how many spreads to doubt it.

        Linear regression of a score, which varies by `scale` spreads, on what bits tell of it: so
        much of it as `told` squared, and noise. What is `usual` scaled spreads above the mean seems
        to be so far times the square of their correlation, give or take what that leaves open.

        Args:
            told: the correlation where scores vary by one spread.
            usual: scaled spreads that items wanted are above the centre.
        """
        scale = self._clouds.scale
        factor = scale**2 / (1.0 + told**2 * (scale**2 - 1.0))
        explained = told**2 * factor
        noise = math.sqrt(explained * (1.0 - explained))
        return factor, scale * ((1.0 - explained) * usual + self._sure * noise)

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


def near_share(means: Scores, passing: Passing) -> float:
    """The share of items that pass where the nearest ones are."""
    n_others = max(0, len(means) - NEAR_BLOCKS)
    near = means >= np.partition(means, n_others)[n_others]
    return float(passing.held[near].mean()) / BLOCK_ROWS


def sample(vectors: Vectors, n: int = MAX_QUERIES) -> Vectors:
    """Evenly spread vectors, to stand for queries where none are known."""
    return vectors[np.linspace(0, len(vectors) - 1, min(n, len(vectors))).astype(np.int64)]

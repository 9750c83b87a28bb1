"""Little or long known: what is popular counts beside the person's vector."""

from dataclasses import dataclass, replace

from service.domain.arrays import Vector
from service.domain.candidates import Candidates
from service.domain.popularity import sparse_weight, with_popularity
from service.domain.requests import Query
from service.domain.sessions import Segment
from service.ports.serving import Release, Rung

FEWEST = 100
"""Popular items proposed at least; less popular ones come in by their vectors, or not at all."""


@dataclass(frozen=True, slots=True)
class Blend:
    """score = inner product + weight * popularity, the weight by how much is known.

    One vector of one action is close to that item and to nothing else; an old signal is half
    right. Measured beside dealing from two lists in turn, and beside items like the recent ones:
    docs/evaluation.md, "Cold start".

    Attributes:
        popular: proposes what is not among the nearest.
        sparse_below: actions from which on a person's vector speaks for itself.
        sparse_weight: weight without any action; it falls to 0 at `sparse_below`.
        stale_weight: weight for people whose newest action is old.
    """

    popular: Rung
    sparse_below: int
    sparse_weight: float
    stale_weight: float

    def __call__(
        self, found: Candidates, vector: Vector, query: Query, release: Release
    ) -> Candidates:
        """The candidates and the popular items, best first."""
        weight = self._weight(query)
        if weight == 0.0 or not len(found) or query.request.strict:
            return found
        popular = self.popular.propose(query, release, max(FEWEST, query.request.k))
        scores = release.catalogue.vectors[popular.rows] @ vector
        both = found.then(replace(popular, scores=scores))
        scores = with_popularity(both.scores, release.catalogue.popularity[both.rows], weight)
        return replace(both, scores=scores).by_score()

    def _weight(self, query: Query) -> float:
        n_known = int((query.rows >= 0).sum())
        sparse = sparse_weight(n_known, self.sparse_weight, self.sparse_below)
        return max(sparse, self.stale_weight) if query.segment is Segment.STALE else sparse

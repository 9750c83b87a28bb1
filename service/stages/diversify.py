"""Keeps one category, one seller, one look or the person's own items from filling the list."""

import math
from dataclasses import dataclass

import numpy as np

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports.serving import Release
from service.stages.caps import UNKNOWN, Cap, choose
from service.stages.mmr import spread

TOP = 10
"""The seller cap holds within the first ten places."""
FEW_CATEGORIES = 2
MAY_MOVE = np.array([s not in (Source.EXPLORATION, Source.SPONSORED) for s in Source])
"""By source: whether nobody has given its items their place."""
IS_FREE = np.array([source is Source.EXPLORATION for source in Source])
"""By source: whether its items are counted by caps, but never passed over."""
OWN = np.array([0 if source is Source.AGAIN else UNKNOWN for source in Source])
"""By source: one code for the person's own items, none for others."""
WINDOW, PLACES = 60, 30
"""The first candidates are spread over the first places: people look at the top, and the cost
grows with both."""
LOOKED_AT = 2
"""Times k candidates among which the caps nearly always find the first k."""


@dataclass(frozen=True, slots=True)
class Diversify:
    """Look-alikes are moved apart, then caps are applied greedily from the top.

    What a cap passes over waits until there is room.

    Attributes:
        category_share: most of the list that one category may take.
        seller_top10: most places that one seller may take in the first ten.
        again_share: most of the list that the person's own items may take.
        spread: weight of being unlike the items above; 0 leaves the order to relevance.
    """

    category_share: float
    seller_top10: int
    again_share: float
    spread: float = 0.0

    def __call__(self, found: Candidates, query: Query, release: Release) -> Candidates:
        """The candidates in a new order; the caps hold for the first k, if enough others exist.

        Explored items keep their place: their propensity was computed for being shown.
        """
        k = query.request.k
        if self.spread > 0.0:
            found = self._spread(found, k, release)
        chosen, is_enough = self._choose(found.head(LOOKED_AT * k), query, release)
        if not is_enough and len(found) > LOOKED_AT * k:
            chosen, _ = self._choose(found, query, release)
        if chosen == list(range(len(chosen))):
            return found
        return found.move(np.array(chosen), np.arange(len(chosen)))

    def _spread(self, found: Candidates, k: int, release: Release) -> Candidates:
        """The first candidates in MMR order; explored and sponsored items keep their places."""
        order = np.arange(len(found))
        free = MAY_MOVE.take(found.sources[: min(2 * k, WINDOW)]).nonzero()[0]
        vectors = release.catalogue.vectors[found.rows.take(free)]
        order[free] = free.take(spread(vectors, self.spread, min(k, PLACES)))
        return found.take(order)

    def _choose(self, found: Candidates, query: Query, release: Release) -> tuple[list[int], bool]:
        k, catalogue, rows = query.request.k, release.catalogue, found.rows
        categories = Cap(catalogue.categories.take(rows), self._category_cap(query))
        own = Cap(OWN.take(found.sources), math.ceil(self.again_share * k))
        sellers = Cap(catalogue.sellers.take(rows), self.seller_top10)
        is_free = IS_FREE.take(found.sources).tolist()
        return choose((categories, own), sellers, min(TOP, k), k, is_free)

    def _category_cap(self, query: Query) -> int:
        """No cap where the caller asked for one or two categories: it would make no sense."""
        if 0 < len(query.request.filters.words("category")) <= FEW_CATEGORIES:
            return query.request.k
        return max(1, math.floor(self.category_share * query.request.k))

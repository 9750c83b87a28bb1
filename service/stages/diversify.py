"""Keeps one category or seller from filling the list."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports import Release

TOP = 10
"""The seller cap holds within the first ten places."""
UNKNOWN = -1
FEW_CATEGORIES = 2


@dataclass(frozen=True, slots=True)
class Diversify:
    """Caps, applied greedily from the top; what is passed over waits until there is room.

    Attributes:
        category_share: most of the list that one category may take.
        seller_top10: most places that one seller may take in the first ten.
    """

    category_share: float
    seller_top10: int

    def __call__(self, found: Candidates, query: Query, release: Release) -> Candidates:
        """The candidates in a new order; the caps hold for the first k, if enough others exist.

        A category cap makes no sense where the caller asked for one or two categories.
        Explored items keep their place: their propensity was computed for being shown.
        """
        k = query.request.k
        caps = _Caps(
            release.catalogue.categories[found.rows].tolist(),
            release.catalogue.sellers[found.rows].tolist(),
            (found.sources == Source.EXPLORATION).tolist(),
            self._category_cap(query),
        )
        chosen: list[int] = []
        rest = caps.choose(chosen, list(range(len(found))), min(TOP, k), self.seller_top10)
        rest = caps.choose(chosen, rest, k, None)
        return found.take(np.array(chosen + rest, dtype=np.int64))

    def _category_cap(self, query: Query) -> int:
        if 0 < len(query.request.filters.categories) <= FEW_CATEGORIES:
            return query.request.k
        return max(1, math.floor(self.category_share * query.request.k))


class _Caps:
    """Categories, sellers and the explored mark by position, with counts of what was taken."""

    def __init__(
        self, categories: list[int], sellers: list[int], explored: list[bool], category_cap: int
    ) -> None:
        self._categories = categories
        self._sellers = sellers
        self._explored = explored
        self._category_cap = category_cap
        self._in_category: Counter[int] = Counter()
        self._of_seller: Counter[int] = Counter()

    def choose(
        self, chosen: list[int], positions: list[int], upto: int, seller_cap: int | None
    ) -> list[int]:
        """Moves allowed positions to `chosen` until it holds `upto`; returns the others."""
        rest: list[int] = []
        for n_read, i in enumerate(positions):
            if len(chosen) >= upto:
                return rest + positions[n_read:]
            if self._explored[i] or self._allows(i, seller_cap):
                self._in_category[self._categories[i]] += 1
                self._of_seller[self._sellers[i]] += 1
                chosen.append(i)
            else:
                rest.append(i)
        return rest

    def _allows(self, i: int, seller_cap: int | None) -> bool:
        if self._in_category[self._categories[i]] >= self._category_cap:
            return False
        seller = self._sellers[i]
        return seller_cap is None or seller == UNKNOWN or self._of_seller[seller] < seller_cap

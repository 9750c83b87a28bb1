"""Keeps one category, one seller, one look or the person's own items from filling the list."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Codes, Mask, among
from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports.serving import Release
from service.stages.mmr import spread

TOP = 10
"""The seller cap holds within the first ten places."""
UNKNOWN = -1
FEW_CATEGORIES = 2
PLACED = np.array([Source.EXPLORATION, Source.SPONSORED], dtype=np.uint8)
"""Sources whose items have been given their place."""
WINDOW = 60
"""The first candidates are spread: people look at the top, and the cost grows with the square."""


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
        is_free = (found.sources == Source.EXPLORATION).tolist()
        categories = _cap(release.catalogue.categories[found.rows], self._category_cap(query))
        own = _cap(_codes(found.sources == Source.AGAIN), math.ceil(self.again_share * k))
        sellers = _cap(release.catalogue.sellers[found.rows], self.seller_top10)
        chosen: list[int] = []
        rest = list(range(len(found)))
        rest = _choose(chosen, rest, min(TOP, k), (categories, own, sellers), is_free)
        rest = _choose(chosen, rest, k, (categories, own), is_free)
        return found.take(np.array(chosen + rest, dtype=np.int64))

    def _spread(self, found: Candidates, k: int, release: Release) -> Candidates:
        """The first candidates in MMR order; explored and sponsored items keep their places."""
        order = np.arange(len(found))
        window = min(2 * k, WINDOW, len(found))
        places = np.flatnonzero(~among(found.sources[:window], PLACED))
        order[places] = places[spread(release.catalogue.vectors[found.rows[places]], self.spread)]
        return found.take(order)

    def _category_cap(self, query: Query) -> int:
        """No cap where the caller asked for one or two categories: it would make no sense."""
        if 0 < len(query.request.filters.words("category")) <= FEW_CATEGORIES:
            return query.request.k
        return max(1, math.floor(self.category_share * query.request.k))


Cap = tuple[list[int], dict[int, int]]
"""A code for each candidate, and how many more of each code may be chosen."""


def _cap(codes: Codes, most: int) -> Cap:
    """At most `most` of the chosen may share a code; candidates without a code are free."""
    listed = codes.tolist()
    left = dict.fromkeys(listed, most)
    left[UNKNOWN] = len(listed)
    return listed, left


def _codes(mask: Mask) -> Codes:
    """One code for all that are meant, none for the others."""
    return np.where(mask, 0, UNKNOWN).astype(np.int32)


def _choose(
    chosen: list[int], positions: list[int], upto: int, caps: Sequence[Cap], is_free: list[bool]
) -> list[int]:
    """Moves allowed positions to `chosen` until it holds `upto`; returns the others in order.

    Plain loops over lists: this runs for every candidate of every request.
    """
    rest: list[int] = []
    for n_read, i in enumerate(positions):
        if len(chosen) >= upto:
            return rest + positions[n_read:]
        if is_free[i] or _allows(i, caps):
            chosen.append(i)
            for codes, left in caps:
                left[codes[i]] -= 1
        else:
            rest.append(i)
    return rest


def _allows(i: int, caps: Sequence[Cap]) -> bool:
    for codes, left in caps:  # noqa: SIM110  a generator would cost more than the check itself
        if left[codes[i]] <= 0:
            return False
    return True

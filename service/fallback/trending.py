"""Rung: what rises in the categories this person cares for."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import NO_ROWS, Rows
from service.domain.candidates import Candidates
from service.domain.ladders import category_scope
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports.serving import LiveTrends, Release

MOST_SCOPES = 3
"""Categories taken from the recent actions; the share of a fourth would be noise."""


@dataclass(frozen=True, slots=True)
class Trending:
    """Interleaves the trending lists of the person's categories, best first.

    What rises now comes first, and beneath it what rose when the release was built.
    It has nothing to say about somebody without any action, declared interests or not: what
    rises is a far poorer guess at a first order than what is popular (docs/evaluation.md, "Cold
    start"), so that is left to the next rung.
    """

    live: LiveTrends
    name: str = "trending"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        if not (query.rows >= 0).any():
            return Candidates.none()
        scopes = self._scopes(query, release)
        now = interleave([self.live.rows_in(scope, release) for scope in scopes])
        built = interleave([release.ladder.trending_in(scope) for scope in scopes])
        lists = (Candidates.of(rows, None, Source.TRENDING) for rows in (now, built))
        return next(lists).then(next(lists)).head(n)

    def _scopes(self, query: Query, release: Release) -> list[str]:
        """Declared interests, else the commonest categories of the recent actions."""
        names = list(query.session.interests) or _categories(query, release)
        return [category_scope(name) for name in names]


def _categories(query: Query, release: Release) -> list[str]:
    catalogue = release.catalogue
    known = query.rows[query.rows >= 0]
    counts = Counter(catalogue.categories[known].tolist())
    return [catalogue.category_names[code] for code, _ in counts.most_common(MOST_SCOPES)]


def interleave(lists: list[Rows]) -> Rows:
    """First of each list, then the second of each, …; a row keeps its first place."""
    lists = [rows for rows in lists if len(rows)]
    if not lists:
        return NO_ROWS
    width = max(len(rows) for rows in lists)
    grid = np.full((width, len(lists)), -1, dtype=np.int64)
    for column, rows in enumerate(lists):
        grid[: len(rows), column] = rows
    flat = grid.ravel()
    flat = flat[flat >= 0]
    _, first = np.unique(flat, return_index=True)
    return flat[np.sort(first)]

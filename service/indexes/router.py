"""Finds the nearest allowed items by the way that is cheapest for what is asked.

Whatever the way, a list is never short while allowed items exist: ways that guess look again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Mask, Rows, Scores, Vector, Vectors
from service.domain.requests import NO_FILTERS, Filters
from service.domain.searches import Found, Route
from service.errors import IndexUnavailable
from service.indexes import costs
from service.indexes.blocks import Blocks, near_share, sample
from service.indexes.exact import best, gathered_scores
from service.indexes.passing import Passing, PassingCache
from service.indexes.query import check_query
from service.ports.serving import Catalogue, ItemIndex, Stock

CACHE_SHARE = 0.25
"""Memory for compiled filters, of that of the vectors; each process has its own."""
CACHE_BYTES = 4_000_000
"""At least."""
GRAPH_FACTOR = 1.4
"""Items fetched from the graph, times the depth at which enough are expected."""
FILTERED_EF = 2
"""Times as many as the graph is searched with are fetched under filters, at least: those who like
what is most of the catalogue are those for whom it finds least."""
GRAPH_SHARE = 0.4
"""The share of the nearest items that have to pass for the graph to be asked."""
WALK_ROWS = 4096


@dataclass(frozen=True)
class Asked:
    """One search; what is not needed for it is not found out.

    Attributes:
        available: the share of all items that can be shown.
    """

    vector: Vector
    n: int
    passing: Passing
    available: float
    blocks: Blocks

    @cached_property
    def means(self) -> Scores:
        return self.blocks.means(self.vector)

    @cached_property
    def near_share(self) -> float:
        """The share of the nearest items that pass and can be shown."""
        passing = self.passing
        share = passing.share if passing.is_even else near_share(self.means, passing)
        return self.available * share


Way = Callable[[Asked], tuple[Rows, Scores]]
"""Gives passing rows in any order, with the n nearest available ones among them, and scores."""


class Router:
    """Searches under filters and stock (`service.ports.serving.ItemRouter`).

    Of one release, and for one thread. Filters are compiled once and kept; stock is looked up in
    every search, so nothing has to be thrown away when it changes.
    """

    def __init__(
        self, graph: ItemIndex, ef: int, vectors: Vectors, catalogue: Catalogue, stock: Stock
    ) -> None:
        """Args are parts of one release; `ef` is what the graph is searched with."""
        self._graph = graph
        self._ef = ef
        self._vectors = np.asarray(vectors)
        self._catalogue = catalogue
        self._stock = stock
        self._blocks = Blocks(self._vectors)
        most_bytes = max(CACHE_BYTES, int(CACHE_SHARE * self._vectors.nbytes))
        self.cache = PassingCache(catalogue.matching, most_bytes)
        self._popular: Rows = np.argsort(-catalogue.popularity, kind="stable")
        self._in_stock: Mask | None = None
        self._available: Mask = np.empty(0, dtype=np.bool_)
        self._n_available = 0
        self._ways: Mapping[Route, Way] = {
            Route.GRAPH: self._by_graph,
            Route.BLOCKS: self._by_blocks,
            Route.SWEEP: self._by_sweep,
            Route.GATHER: self._by_gather,
        }

    def calibrate(self, queries: Vectors | None = None, recall: float = 0.95) -> None:
        """Learn from user vectors how far to look; without any, from items of the catalogue.

        Args:
            queries: float32 [q, dim].
            recall: at 100, that approximate ways should reach.
        """
        if queries is None or not len(queries):
            queries = sample(self._vectors)
        self._blocks.calibrate(queries, recall)

    def forget(self, attribute: str) -> None:
        """The values of an attribute have changed: filters by it are compiled again."""
        self.cache.forget(attribute)

    def search(self, vector: Vector, n: int, filters: Filters = NO_FILTERS) -> Found:
        """The n nearest items that pass the filters, are in stock and not blocked.

        What is nearer than the last of them and passes the filters, but is sold out or blocked,
        is in the list too, up to n more: the rules remove it, and count it.

        Raises:
            IndexUnavailable: the graph failed, or the query is no vector.
        """
        check_query(vector, self._vectors.shape[1])
        passing = self.cache.of(filters)
        if n <= 0 or not passing.count:
            return Found.nothing()
        self._follow_stock()
        share = self._n_available / len(self._vectors)
        asked = Asked(vector, n, passing, share, self._blocks)
        route = self.route(asked)
        rows, scores = self._ways[route](asked)
        is_second_try = route is Route.GRAPH and self._is_short(rows, asked)
        if is_second_try:
            route = Route.BLOCKS
            rows, scores = _merged((rows, scores), self._by_blocks(asked))
        rows, scores = choose(rows, scores, self._available[rows], n)
        return Found(rows, scores, route, passing.count, is_second_try)

    def passes(self, rows: Rows, filters: Filters) -> Mask:
        """Which of these rows pass the filters, bool [m]."""
        return self.cache.of(filters).at(rows)

    def most_popular(self, filters: Filters, n: int) -> Rows:
        """The n most popular items that pass the filters, are in stock and not blocked."""
        passing = self.cache.of(filters)
        self._follow_stock()
        found, start, size = [NO_ROWS], 0, WALK_ROWS
        while start < len(self._popular) and sum(map(len, found)) < n:
            rows = self._popular[start : start + size]
            found.append(rows[passing.at(rows) & self._available[rows]])
            start, size = start + size, 2 * size
        return np.concatenate(found)[:n]

    def route(self, asked: Asked) -> Route:
        """The cheapest way to what is asked for."""
        n_items, dim = self._vectors.shape
        passing = asked.passing
        prices = {
            Route.SWEEP: costs.sweep_us(passing.n_rows_swept, dim),
            Route.GATHER: costs.gather_us(passing.count, dim),
            Route.BLOCKS: costs.blocks_us(len(passing.blocks), dim),
        }
        cheapest = min(prices, key=prices.__getitem__)
        graph_us = costs.graph_us(self._ef, n_items)
        if min(prices[Route.SWEEP], prices[Route.GATHER]) < graph_us:
            return cheapest
        return Route.GRAPH if asked.near_share >= GRAPH_SHARE else cheapest

    def _fetched(self, asked: Asked) -> int:
        """Items to ask the graph for: just n where all of them will do."""
        if asked.near_share == 1.0 and asked.passing.is_everything:
            return asked.n
        depth = asked.n / max(asked.near_share, 1.0 / len(self._vectors))
        least = self._ef if asked.passing.is_everything else FILTERED_EF * self._ef
        return min(len(self._vectors), max(least, int(GRAPH_FACTOR * depth)))

    def _by_graph(self, asked: Asked) -> tuple[Rows, Scores]:
        n_fetched = self._fetched(asked)
        try:
            rows, scores = self._graph.search(asked.vector, n_fetched)
        except IndexUnavailable as error:
            if error.outcome != "short":
                raise
            return NO_ROWS, NO_SCORES
        passes = asked.passing.at(rows)
        return rows[passes], scores[passes]

    def _by_blocks(self, asked: Asked) -> tuple[Rows, Scores]:
        held_bytes = asked.passing.nbytes
        found = self._blocks.nearest(
            asked.vector, asked.n, asked.passing, self._available, asked.available, asked.means
        )
        if asked.passing.nbytes > held_bytes:
            self.cache.make_room()
        return found

    def _by_sweep(self, asked: Asked) -> tuple[Rows, Scores]:
        return self._blocks.sweep(asked.vector, asked.n, asked.passing, self._available)

    def _by_gather(self, asked: Asked) -> tuple[Rows, Scores]:
        rows = self.cache.rows_of(asked.passing)
        return rows, gathered_scores(self._vectors, rows, asked.vector)

    def _is_short(self, rows: Rows, asked: Asked) -> bool:
        wanted = min(asked.n, asked.passing.count, self._n_available)
        return int(np.count_nonzero(self._available[rows])) < wanted

    def _follow_stock(self) -> None:
        in_stock = self._stock.in_stock
        if in_stock is not self._in_stock:  # replaced as a whole when it changes
            self._in_stock = in_stock
            own = slice(len(self._vectors))  # what arrived stands behind them
            self._available = np.zeros(self._blocks.n_padded, dtype=np.bool_)
            self._available[own] = in_stock[own] & ~self._catalogue.is_blocked[own]
            self._n_available = int(np.count_nonzero(self._available))


def choose(rows: Rows, scores: Scores, is_available: Mask, n: int) -> tuple[Rows, Scores]:
    """The n best available rows, and what is better than the last of them, up to n more."""
    if is_available.all():
        places, kept = best(scores, n)
        return rows[places], kept
    free = np.flatnonzero(is_available)
    free = free[best(scores[free], n)[0]]
    floor = scores[free[-1]] if len(free) >= n else -np.inf
    taken = np.flatnonzero(~is_available & (scores >= floor))
    taken = taken[best(scores[taken], n)[0]]
    both = np.sort(np.concatenate((free, taken)))
    places, kept = best(scores[both], len(both))
    return rows[both[places]], kept


def _merged(some: tuple[Rows, Scores], more: tuple[Rows, Scores]) -> tuple[Rows, Scores]:
    """What two ways have found, each row once."""
    rows, first = np.unique(np.concatenate((some[0], more[0])), return_index=True)
    return rows, np.concatenate((some[1], more[1]))[first]

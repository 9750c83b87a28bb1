"""Finds the nearest allowed items by the way that is cheapest for what is asked.

Whatever the way, a list is never short while allowed items exist: ways that guess look again.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Mask, Rows, Scores, Vector, Vectors
from service.domain.requests import NO_FILTERS, Filters
from service.domain.searches import Found, Route
from service.errors import IndexUnavailable
from service.indexes import costs
from service.indexes.blocks import Blocks, sample
from service.indexes.exact import best, gathered_scores
from service.indexes.passing import Passing, PassingCache
from service.indexes.query import check_query
from service.ports.serving import Catalogue, ItemIndex, Stock

CACHE_SHARE = 0.5
"""Memory for compiled filters and copies, of that of the vectors; each process has its own."""
CACHE_BYTES = 4_000_000
"""At least."""
COPY_SHARE = 0.4
"""The largest copy, of that memory."""
COPY_FROM = 3
"""The search by the same filters that makes a copy: what is asked once is not worth it."""
COPY_GAIN = 1.5
"""How many times as fast as the next best way a copy has to be, for the memory it takes."""
GRAPH_FACTOR = 2.0
"""Items fetched from the graph beyond what the share of allowed ones suggests."""
SHORT_SHARE = 0.05
"""Filters that leave the graph short more often are not searched by it: they go against tastes."""
FAR_FACTOR = 3.2
"""Rows looked at in some of the blocks, beside their share: what is near may be in the others."""
WALK_ROWS = 4096

Way = Callable[[Vector, int, Passing], tuple[Rows, Scores]]
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
            Route.COPY: self._by_copy,
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
        passing = self.cache.search(filters)
        if n <= 0 or not passing.count:
            return Found.nothing()
        self._follow_stock()
        route = self.route(passing, n)
        rows, scores = self._ways[route](vector, n, passing)
        is_second_try = route is Route.GRAPH and self._is_short(rows, n, passing)
        if is_second_try:
            passing.n_short += 1
            route = Route.BLOCKS
            rows, scores = self._by_blocks(vector, n, passing)
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

    def route(self, passing: Passing, n: int) -> Route:
        """The cheapest way to n of the rows that pass."""
        prices = dict(self._prices(passing, n))
        cheapest = min(prices, key=prices.__getitem__)
        return Route.COPY if self._is_copied(passing, prices[cheapest]) else cheapest

    def _is_copied(self, passing: Passing, price_us: float) -> bool:
        """Whether there is a copy, or it is time to make one."""
        dim = self._vectors.shape[1]
        if costs.copy_us(passing.count, dim) * COPY_GAIN > price_us:
            return False
        if passing.copied is not None:
            return True
        n_bytes = passing.count * (dim * self._vectors.itemsize + self._popular.itemsize)
        is_small = n_bytes <= COPY_SHARE * self.cache.most_bytes
        return passing.n_searched >= COPY_FROM and is_small and self.cache.make_room(n_bytes)

    def _prices(self, passing: Passing, n: int) -> Iterator[tuple[Route, float]]:
        """Every way that is open, and what it is expected to cost in microseconds."""
        n_items, dim = self._vectors.shape
        depth, swept = self._depth(passing, n), passing.n_rows_swept
        yield Route.SWEEP, costs.sweep_us(swept, dim)
        yield Route.GATHER, costs.gather_us(passing.count, dim)
        if passing.n_short <= 1 + SHORT_SHARE * passing.n_searched:
            n_fetched = _fetched(depth, n, n_items)
            yield Route.GRAPH, costs.graph_us(max(self._ef, n_fetched), n_items)
        rows = self._blocks.expected_rows(depth * swept / n_items)
        if swept < n_items:
            rows = min(swept, FAR_FACTOR * rows * swept / n_items)
        yield Route.BLOCKS, costs.blocks_us(rows, dim)

    def _depth(self, passing: Passing, n: int) -> float:
        """How many of all items the n nearest allowed ones are expected to be among."""
        n_items = len(self._vectors)
        share = passing.count / n_items * max(1, self._n_available) / n_items
        return min(float(n_items), n / share)

    def _by_graph(self, vector: Vector, n: int, passing: Passing) -> tuple[Rows, Scores]:
        n_fetched = _fetched(self._depth(passing, n), n, len(self._vectors))
        try:
            rows, scores = self._graph.search(vector, n_fetched)
        except IndexUnavailable as error:
            if error.outcome != "short":
                raise
            return NO_ROWS, NO_SCORES
        passes = passing.at(rows)
        return rows[passes], scores[passes]

    def _by_blocks(self, vector: Vector, n: int, passing: Passing) -> tuple[Rows, Scores]:
        return self._blocks.nearest(vector, n, passing, self._available)

    def _by_sweep(self, vector: Vector, n: int, passing: Passing) -> tuple[Rows, Scores]:
        return self._blocks.sweep(vector, passing)

    def _by_gather(self, vector: Vector, n: int, passing: Passing) -> tuple[Rows, Scores]:
        rows = self.cache.rows_of(passing)
        return rows, gathered_scores(self._vectors, rows, vector)

    def _by_copy(self, vector: Vector, n: int, passing: Passing) -> tuple[Rows, Scores]:
        if passing.copied is None:
            passing.copied = self._vectors[passing.rows]
        return self.cache.rows_of(passing), passing.copied @ vector

    def _is_short(self, rows: Rows, n: int, passing: Passing) -> bool:
        wanted = min(n, passing.count, self._n_available)
        return int(np.count_nonzero(self._available[rows])) < wanted

    def _follow_stock(self) -> None:
        in_stock = self._stock.in_stock
        if in_stock is not self._in_stock:  # replaced as a whole when it changes
            self._in_stock = in_stock
            self._available = in_stock & ~self._catalogue.is_blocked
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


def _fetched(depth: float, n: int, n_items: int) -> int:
    """Items to ask the graph for: just n where all of them will do."""
    return n if depth <= n else min(n_items, int(GRAPH_FACTOR * depth))

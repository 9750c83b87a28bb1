"""What arrived since a release was built, searched beside its router: all of it, exactly."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from service.domain.arrays import NO_ROWS, Mask, Rows, Vector, Vectors
from service.domain.requests import NO_FILTERS, Filters
from service.domain.searches import Found
from service.indexes.exact import best
from service.indexes.router import Router
from service.ports.serving import Stock


class Arrivals(Protocol):
    """The part of a catalogue that came behind the rows of the release."""

    @property
    def n_built(self) -> int:
        """The first row of an item that arrived."""
        ...

    @property
    def n_changed(self) -> Mapping[str, int]:
        """How often values of an attribute have changed so far, by its name."""
        ...

    @property
    def is_blocked(self) -> Mask:
        """By row, those of the release included."""
        ...

    @property
    def late_vectors(self) -> Vectors:
        """float32 [m, dim], unit length."""
        ...

    def late_matching(self, filters: Filters) -> Mask:
        """Which of them pass the filters, bool [m]."""
        ...


class GrowingRouter:
    """Searches a release and what arrived on top of it (`service.ports.serving.ItemRouter`).

    At most ten thousand items arrive; scoring all of them takes a tenth of a millisecond, and
    nothing has to be built. While nothing has arrived it costs a comparison.
    """

    def __init__(self, built: Router, arrivals: Arrivals, stock: Stock) -> None:
        self.built = built
        self._arrivals, self._stock = arrivals, stock
        self._n_changed = dict(arrivals.n_changed)

    def search(self, vector: Vector, n: int, filters: Filters = NO_FILTERS) -> Found:
        """The n nearest items that pass the filters, are in stock and not blocked; see the router.

        Raises:
            IndexUnavailable: the graph failed, or the query is no vector.
        """
        self._follow_changes()
        found = self.built.search(vector, n, filters)
        free = self._free(filters)
        if n <= 0 or not len(free):
            return found
        places, scores = best((self._arrivals.late_vectors @ vector)[free], n)
        rows = np.concatenate((found.rows, self._arrivals.n_built + free[places]))
        scores = np.concatenate((found.scores, scores))
        order = np.argsort(-scores, kind="stable")
        n_free = np.cumsum(self._is_free(rows[order]))
        order = order[n_free <= n]  # what is behind the n-th that may be shown is not needed
        return replace(
            found, rows=rows[order], scores=scores[order], passing=found.passing + len(free)
        )

    def passes(self, rows: Rows, filters: Filters) -> Mask:
        """Which of these rows pass the filters, bool [m]."""
        self._follow_changes()
        is_late = rows >= self._arrivals.n_built
        if not is_late.any():
            return self.built.passes(rows, filters)
        mask = np.empty(len(rows), dtype=np.bool_)
        mask[~is_late] = self.built.passes(rows[~is_late], filters)
        matching = self._arrivals.late_matching(filters)
        mask[is_late] = matching[rows[is_late] - self._arrivals.n_built]
        return mask

    def most_popular(self, filters: Filters, n: int) -> Rows:
        """The n most popular such items in stock; last those that arrived, the newest first."""
        self._follow_changes()
        rows = self.built.most_popular(filters, n)
        if len(rows) >= n:
            return rows
        late = self._arrivals.n_built + self._free(filters)[::-1]
        return np.concatenate((rows, late[: n - len(rows)]))

    def _free(self, filters: Filters) -> Rows:
        """Positions of arrivals that pass the filters and may be shown."""
        first = self._arrivals.n_built
        if not len(self._arrivals.late_vectors):
            return NO_ROWS
        free = self._is_free(slice(first, None)) & self._arrivals.late_matching(filters)
        return np.flatnonzero(free)

    def _is_free(self, rows: Rows | slice) -> Mask:
        free: Mask = self._stock.in_stock[rows] & ~self._arrivals.is_blocked[rows]
        return free

    def _follow_changes(self) -> None:
        n_changed = self._arrivals.n_changed
        if n_changed == self._n_changed:
            return
        for name, n in n_changed.items():
            if n != self._n_changed.get(name):
                self.built.forget(name)
        self._n_changed = dict(n_changed)

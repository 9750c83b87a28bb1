"""Which items can be bought now: one column, replaced as a whole when something changes."""

from collections.abc import Mapping

import numpy as np

from service.domain.arrays import Mask


class StockColumn:
    """Stock of one release (`service.ports.serving.Stock`).

    Attributes:
        in_stock: bool [n_items]; readers may keep it for a whole request, it is never written
            in place.
    """

    def __init__(self, in_stock: Mask) -> None:
        self.in_stock = in_stock

    def put(self, has_some: Mapping[int, bool]) -> None:
        """Take over whether these rows can be bought; the rows right behind the last may follow."""
        if not has_some:
            return
        n = max(len(self.in_stock), max(has_some) + 1)
        changed = np.ones(n, dtype=np.bool_)
        changed[: len(self.in_stock)] = self.in_stock
        changed[list(has_some)] = list(has_some.values())
        changed.setflags(write=False)
        self.in_stock = changed

"""Which items can be bought now: one column, replaced as a whole when something changes."""

from collections.abc import Mapping

import numpy as np

from service.domain.arrays import Mask
from service.ports.serving import Catalogue


class StockColumn:
    """Stock of one release (`service.ports.serving.Stock`).

    Attributes:
        in_stock: bool [n_items]; readers may keep it for a whole request, it is never written
            in place.
    """

    def __init__(self, catalogue: Catalogue, in_stock: Mask) -> None:
        self._catalogue = catalogue
        self.in_stock = in_stock

    def apply(self, stock: Mapping[str, int]) -> None:
        """Take over the stock of these items (0 = sold out); unknown ids are ignored."""
        if not stock:
            return
        rows = self._catalogue.rows_of(tuple(stock))
        has_some = np.array([count > 0 for count in stock.values()])
        known = rows >= 0
        changed = self.in_stock.copy()
        changed[rows[known]] = has_some[known]
        changed.setflags(write=False)
        self.in_stock = changed

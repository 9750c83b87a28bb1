"""A release in memory that is told of items, and what it makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.catalogue.updates import LiveUpdates
from service.domain.arrays import Vector
from service.domain.items import ItemUpdate, NewItem
from service.domain.requests import Condition, Filters
from tests.service.catalogue.shelves import DIM, small_columns

BUILT_AT_S = 1000.0
LATER_S, EARLIER_S = 1001.0, 999.0
LAMP = NewItem("lamp", "garden", "bert", 12.5)
NO_VECTOR = "nothing is like it"


def vectors_of(items: Sequence[NewItem]) -> list[Vector | None]:
    """A vector that depends on the title."""
    found: list[Vector | None] = []
    for item in items:
        vector = np.eye(DIM, dtype=np.float32)[len(item.title) % DIM]
        found.append(None if item.title == NO_VECTOR else vector)
    return found


@dataclass
class Shop:
    """A release that can be changed."""

    catalogue: LiveCatalogue = field(default_factory=lambda: LiveCatalogue(small_columns()))

    def __post_init__(self) -> None:
        self.stock = StockColumn(small_columns().in_stock)
        self.updates = LiveUpdates(self.catalogue, self.stock, BUILT_AT_S, vectors_of)

    def tell(self, item_id: str, at_s: float = LATER_S, **said: object) -> list[str]:
        """One update; what its parts did."""
        update = ItemUpdate(item_id, at_s, **said)  # type: ignore[arg-type]
        return [outcome.effect for outcome in self.updates.apply([update])]

    def state(self, item_id: str) -> tuple[bool, float, bool] | None:
        """In stock, price and blocked, None for an item that is not served."""
        row = self.catalogue.row_of(item_id)
        if row < 0:
            return None
        price = float(self.catalogue.prices[row])
        return bool(self.stock.in_stock[row]), price, bool(self.catalogue.is_blocked[row])

    def passed(self, item_id: str) -> list[str]:
        """The conditions of `ASKED` that an item meets."""
        row, known = self.catalogue.row_of(item_id), self.catalogue
        late = row - known.n_built
        return [
            name
            for name, asked in ASKED.items()
            if (known.late_matching(asked)[late] if late >= 0 else known.matching(asked)[row])
        ]


ASKED = {
    "toys": Filters.of({"category": Condition(any_of=("toys",))}),
    "anna": Filters.of({"seller": Condition(any_of=("anna",))}),
    "red": Filters.of({"tags": Condition(any_of=("red",))}),
    "vegan": Filters.of({"is_vegan": Condition(is_set=True)}),
    "cheap": Filters.of({"price": Condition(at_most=2.0)}),
}

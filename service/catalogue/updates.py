"""What is said of items while a release is served, put on top of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from service.catalogue.growing import ARRIVALS_MAX
from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.domain.arrays import Vector
from service.domain.items import Effect, ItemOutcome, ItemUpdate, NewItem, Topic, Value

Embed = Callable[[Sequence[NewItem]], Sequence[Vector | None]]
"""The vectors of items that arrived, float32 [dim], unit length; None when none can be made."""


class LiveUpdates:
    """Changes one release (`service.ports.serving.Updates`).

    Stock, and that an item is blocked, count until somebody says otherwise. A price, an attribute,
    and that an item is allowed again, count unless the release was built later: then it knows
    better. An item that is told anew knows better than what was said of it before.
    """

    def __init__(
        self, catalogue: LiveCatalogue, stock: StockColumn, built_at_s: float, embed: Embed
    ) -> None:
        self._catalogue, self._stock = catalogue, stock
        self._built_at_s, self._embed = built_at_s, embed
        self._arrived_at_s: dict[int, float] = {}
        self._homeless: set[str] = set()
        self._put: dict[int, bool] = {}
        self._vectors: dict[int, Vector | None] = {}

    @property
    def arrived(self) -> tuple[int, int]:
        """How many items are served on top of the release, and how many have no vector for it."""
        return self._catalogue.n_arrived, len(self._homeless)

    def apply(self, updates: Sequence[ItemUpdate]) -> Sequence[ItemOutcome]:
        """Take over what is said of items, in order; one outcome for each thing that is said."""
        self._put = {}
        self._vectors = self._embedded(updates)
        outcomes: list[ItemOutcome] = []
        is_blocked_changed = False
        for update in updates:
            told = self._apply(update)
            outcomes += told
            is_blocked_changed |= ItemOutcome(Topic.BLOCKED, Effect.APPLIED) in told
        if is_blocked_changed and not self._put:  # what was computed from both is computed anew
            self._put[0] = bool(self._stock.in_stock[0])
        self._stock.put(self._put)
        return outcomes

    def _embedded(self, updates: Sequence[ItemUpdate]) -> dict[int, Vector | None]:
        """The vectors of all items that may be taken in, by identity: together they cost less."""
        known = self._catalogue
        items = [
            update.new
            for update in updates
            if update.new is not None
            and not 0 <= known.row_of(update.item_id) < known.n_built
            and known.arrival(update.item_id) != update.new
        ]
        return dict(zip(map(id, items), self._embed(items), strict=True)) if items else {}

    def _apply(self, update: ItemUpdate) -> list[ItemOutcome]:
        told = []
        if update.new is not None:
            told.append(ItemOutcome(Topic.NEW, self._take_in(update, update.new)))
        row = self._catalogue.row_of(update.item_id)
        if update.stock is not None:
            told.append(ItemOutcome(Topic.STOCK, self._shelve(row, update.stock)))
        if update.price is not None:
            told.append(ItemOutcome(Topic.PRICE, self._reprice(row, update.price, update.at_s)))
        if update.is_blocked is not None:
            effect = self._block(row, update.is_blocked, update.at_s)
            told.append(ItemOutcome(Topic.BLOCKED, effect))
        for name, value in update.attributes.items():
            effect = self._change(row, name, value, update.at_s)
            told.append(ItemOutcome(Topic.ATTRIBUTE, effect))
        return told

    def _shelve(self, row: int, units: int) -> Effect:
        if row < 0:
            return Effect.UNKNOWN
        if self._has_some(row) == (units > 0):
            return Effect.UNCHANGED
        self._put[row] = units > 0
        return Effect.APPLIED

    def _has_some(self, row: int) -> bool:
        known = self._put.get(row)
        return bool(self._stock.in_stock[row]) if known is None else known

    def _reprice(self, row: int, price: float, at_s: float) -> Effect:
        if row < 0:
            return Effect.UNKNOWN
        if self._knows_better(row, at_s):
            return Effect.OLDER
        return Effect.APPLIED if self._catalogue.reprice(row, price) else Effect.UNCHANGED

    def _change(self, row: int, name: str, value: Value, at_s: float) -> Effect:
        if row < 0 or not self._catalogue.takes(name, value):
            return Effect.UNKNOWN
        if self._knows_better(row, at_s):
            return Effect.OLDER
        return Effect.APPLIED if self._catalogue.change(row, name, value) else Effect.UNCHANGED

    def _knows_better(self, row: int, at_s: float) -> bool:
        """Whether the item itself was told later."""
        return at_s < self._arrived_at_s.get(row, self._built_at_s)

    def _block(self, row: int, is_blocked: bool, at_s: float) -> Effect:
        if row < 0:
            return Effect.UNKNOWN
        is_arrival = row >= self._catalogue.n_built  # it says nothing of policy itself
        if not is_blocked and not is_arrival and at_s < self._built_at_s:
            return Effect.OLDER
        return Effect.APPLIED if self._catalogue.block(row, is_blocked) else Effect.UNCHANGED

    def _take_in(self, update: ItemUpdate, item: NewItem) -> Effect:
        catalogue, item_id = self._catalogue, update.item_id
        row = catalogue.row_of(item_id)
        if 0 <= row < catalogue.n_built:  # the release contains it by now
            return Effect.OLDER
        known = catalogue.arrival(item_id)
        if known is not None and replace(known, price=item.price) == item:
            self._arrived_at_s[row] = update.at_s
            return Effect.APPLIED if catalogue.retell(row, item) else Effect.UNCHANGED
        if catalogue.is_full:
            return Effect.FULL
        vector = self._vectors.get(id(item))
        if vector is None:
            if len(self._homeless) < ARRIVALS_MAX:
                self._homeless.add(item_id)
            return Effect.NO_VECTOR
        self._homeless.discard(item_id)
        has_some = row < 0 or self._has_some(row)
        late = catalogue.take_in(item_id, item, vector)
        self._put[late] = has_some
        self._arrived_at_s[late] = update.at_s
        return Effect.APPLIED

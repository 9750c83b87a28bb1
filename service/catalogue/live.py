"""The catalogue of a release while it is served: prices change, and items arrive."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.catalogue.attributes import Numbers, matching
from service.catalogue.changing import Changing
from service.catalogue.columns import Columns
from service.catalogue.growing import ARRIVALS_MAX, Growing, GrowingVectors, Joined
from service.catalogue.late_filters import LateFilters
from service.domain.arrays import Codes, Hashes, Mask, Rows, Scores, Vector, Vectors
from service.domain.attributes import is_of_kind
from service.domain.items import NewItem, Value, item_hash
from service.domain.requests import Filters
from service.ports.serving import Attribute

UNKNOWN = -1
PRICE = "price"


class LiveCatalogue:
    """`service.ports.serving.Catalogue`: the columns of a release, and what arrived behind them.

    Rows never move and are never given to another item. An item that is told anew gets another
    row, and its former one is retired: blocked, and found by no id.

    Attributes:
        n_built: rows of the release itself; those from here on have arrived.
        n_changed: how often values of an attribute have changed in rows of the release, by its
            name: what was computed from them is old.
        attributes: what requests may filter by.
    """

    def __init__(self, columns: Columns) -> None:
        self.n_built = len(columns)
        self.n_changed: dict[str, int] = {}
        self.item_ids = Joined(columns.item_ids)
        self.titles = Joined(columns.titles)
        self.category_names = list(columns.category_names)
        self.seller_names = list(columns.seller_names)
        self.vectors = GrowingVectors(columns.vectors)
        self._prices, self._is_blocked = Growing(columns.prices), Growing(columns.is_blocked)
        self._hashes, self._popularity = Growing(columns.hashes), Growing(columns.popularity)
        self._categories, self._sellers = Growing(columns.categories), Growing(columns.sellers)
        self._is_new = Growing(columns.is_new)
        self._is_little_known = Growing(columns.is_little_known)
        self._row_by_id = columns.row_by_id
        self._late_by_id: dict[str, int] = {}
        self._items: dict[int, NewItem] = {}
        self._coded = {
            "category": (self._categories, self.category_names),
            "seller": (self._sellers, self.seller_names),
        }
        declared = columns.attributes
        self._filters = LateFilters({name: one.kind for name, one in declared.items()})
        self._changing = {name: Changing(one) for name, one in declared.items() if name != PRICE}
        prices = {PRICE: Numbers(self._prices.values)} if PRICE in declared else {}
        self._built: Mapping[str, Attribute] = {**self._changing, **prices}
        self.attributes = self._filters.known_to(self._built)

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def hashes(self) -> Hashes:
        return self._hashes.values

    @property
    def categories(self) -> Codes:
        return self._categories.values

    @property
    def sellers(self) -> Codes:
        return self._sellers.values

    @property
    def prices(self) -> Scores:
        return self._prices.values

    @property
    def is_blocked(self) -> Mask:
        return self._is_blocked.values

    @property
    def is_new(self) -> Mask:
        return self._is_new.values

    @property
    def is_little_known(self) -> Mask:
        return self._is_little_known.values

    @property
    def popularity(self) -> Scores:
        return self._popularity.values

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 when unknown."""
        row = self._row_by_id.get(item_id)
        return self._late_by_id.get(item_id, UNKNOWN) if row is None else row

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """Rows int64 [n], -1 where unknown."""
        find = self._row_by_id.get
        rows = [find(item_id, UNKNOWN) for item_id in item_ids]
        if self._late_by_id and UNKNOWN in rows:
            rows = [self.row_of(item_id) for item_id in item_ids]
        return np.array(rows, dtype=np.int64)

    def ids_of(self, rows: Rows) -> tuple[str, ...]:
        """The ids of these rows, [n]."""
        return self.item_ids.at(rows)

    def matching(self, filters: Filters) -> Mask:
        """Which items of the release pass the filters, bool [n_built]."""
        return matching(self._built, filters, self.n_built)

    def late_matching(self, filters: Filters) -> Mask:
        """Which of those that arrived pass the filters, bool [m]."""
        return self._filters.matching(filters)

    @property
    def late_vectors(self) -> Vectors:
        """Of those that arrived, float32 [m, dim], in the order of their rows."""
        return self.vectors.late

    # changes

    @property
    def n_arrived(self) -> int:
        """Items on top of the release."""
        return len(self._late_by_id)

    @property
    def is_full(self) -> bool:
        return len(self) - self.n_built >= ARRIVALS_MAX

    def arrival(self, item_id: str) -> NewItem | None:
        """What was told of an item that is not of the release itself."""
        return self._items.get(self._late_by_id.get(item_id, UNKNOWN))

    def reprice(self, row: int, price: float) -> bool:
        """Changes a price; False when it is that already."""
        if np.array_equal(self.prices[row], np.float32(price), equal_nan=True):
            return False
        self._prices.write(row, price)
        self._note(row, PRICE, price)
        return True

    def takes(self, name: str, value: Value) -> bool:
        """Whether an attribute is declared, and can have this value; a price is no attribute."""
        attribute = self._changing.get(name)
        return attribute is not None and is_of_kind(attribute.kind, value) and value != ""

    def change(self, row: int, name: str, value: Value) -> bool:
        """Changes what it takes; False when it is said to be that already.

        Lists by category that the release brought stay as they are.
        """
        if row < self.n_built and not self._changing[name].change(row, value):
            return False
        if name in self._coded:
            codes, names = self._coded[name]
            codes.write(row, _code(str(value), names))
        return self._note(row, name, value)

    def block(self, row: int, is_blocked: bool) -> bool:
        """Changes whether policy forbids an item; False when it is so already."""
        if self.is_blocked[row] == is_blocked:
            return False
        self._is_blocked.write(row, is_blocked)
        return True

    def retell(self, row: int, item: NewItem) -> bool:
        """Takes over an arrival of which nothing but the price is new; False if that is not.

        Changes that were told since it arrived are undone: these are the last words.
        """
        self._items[row] = item
        self._prices.write(row, np.nan if item.price is None else item.price)
        category, seller = self._codes(item)
        self._categories.write(row, category)
        self._sellers.write(row, seller)
        return self._filters.change(row - self.n_built, _values(item))

    def take_in(self, item_id: str, item: NewItem, vector: Vector) -> int:
        """Gives an item that is not of the release a row, the last one.

        It counts as new, little known and not popular. One that was there before keeps its
        being blocked.
        """
        former = self._late_by_id.get(item_id)
        row = len(self)
        category, seller = self._codes(item)
        self.item_ids.append(item_id)
        self.titles.append(item.title)
        self._hashes.append(item_hash(item_id))
        self._categories.append(category)
        self._sellers.append(seller)
        self._prices.append(np.nan if item.price is None else item.price)
        self._is_blocked.append(former is not None and self.is_blocked[former])
        self._is_new.append(True)
        self._is_little_known.append(True)
        self._popularity.append(0.0)
        self.vectors.append(vector)
        self._filters.append(_values(item))
        if former is not None:
            self.block(former, True)
            del self._items[former]
        self._late_by_id[item_id] = row
        self._items[row] = item
        return row

    def _codes(self, item: NewItem) -> tuple[int, int]:
        """Of its category, and of its seller."""
        seller = _code(item.seller, self.seller_names) if item.seller else UNKNOWN
        return _code(item.category, self.category_names), seller

    def _note(self, row: int, name: str, value: Value) -> bool:
        """What was computed from a former value is old; False when an arrival has this already."""
        if row < self.n_built:
            self.n_changed[name] = self.n_changed.get(name, 0) + 1
            return True
        place = row - self.n_built
        return self._filters.change(place, {**self._filters.of(place), name: value})


def _values(item: NewItem) -> dict[str, Value]:
    """What filters can ask of an item."""
    values = {**item.attributes, "category": item.category, "seller": item.seller}
    return values if item.price is None else {**values, PRICE: item.price}


def _code(name: str, names: list[str]) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)

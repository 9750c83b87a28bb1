"""Items that arrived are searched like those of the release: whatever is asked, nothing is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.catalogue.attributes import matching, read_attribute
from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.catalogue.updates import LiveUpdates
from service.domain.arrays import Mask, Vector
from service.domain.items import ItemUpdate, NewItem, Value
from service.domain.requests import NO_FILTERS, Condition, Filters
from service.indexes.arrivals import GrowingRouter
from service.indexes.exact import ExactIndex
from service.indexes.router import Router
from tests.service.catalogue.shelves import small_columns
from tests.service.indexes.test_contract import unit_vectors

N, DIM = 40, 8
LATE = unit_vectors(64, DIM, seed=2)
QUERY = unit_vectors(1, DIM, seed=3)[0]
TYPES = {
    "category": pa.string(),
    "seller": pa.string(),
    "price": pa.float32(),
    "tags": pa.list_(pa.string()),
    "is_vegan": pa.bool_(),
}
WORDS = ("books", "toys", "garden", "unheard of")
TAGS = ("old", "red", "unheard of")
SELLERS = ("anna", "zoe")


def vectors_of(items: Sequence[NewItem]) -> list[Vector | None]:
    return [LATE[int(item.title)] for item in items]


@dataclass
class Shop:
    """A release, its router, and what arrives."""

    known: dict[str, dict[str, Value | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = replace(small_columns(N), vectors=unit_vectors(N, DIM, seed=1))
        self.catalogue, self.stock = LiveCatalogue(columns), StockColumn(columns.in_stock)
        self.updates = LiveUpdates(self.catalogue, self.stock, 0.0, vectors_of)
        parts = (ExactIndex(columns.vectors), 100, columns.vectors, self.catalogue, self.stock)
        self.router = GrowingRouter(Router(*parts), self.catalogue, self.stock)
        for row, item_id in enumerate(columns.item_ids):
            self.known[item_id] = {
                "category": columns.category_names[columns.categories[row]],
                "seller": "",
                "price": 1.0,
                "tags": ("old",),
                "is_vegan": row % 2 == 1,
            }

    def arrive(self, n: int, **values: Value | None) -> None:
        """The item n-`n`, whose title is the number of its vector."""
        fields = {"category": "garden", "seller": "", "price": None} | {
            name: values.pop(name) for name in ("category", "seller", "price") if name in values
        }
        attributes = {name: value for name, value in values.items() if value is not None}
        item = NewItem(title=str(n % len(LATE)), attributes=attributes, **fields)  # type: ignore[arg-type]
        self.updates.apply([ItemUpdate(f"n-{n}", 1.0, new=item)])
        self.known[f"n-{n}"] = {"tags": (), "is_vegan": None, **fields, **attributes}

    def tell(self, item_id: str, **said: object) -> None:
        self.updates.apply([ItemUpdate(item_id, 2.0, **said)])  # type: ignore[arg-type]
        if "price" in said:
            self.known[item_id]["price"] = said["price"]  # type: ignore[assignment]
        self.known[item_id] |= said.get("attributes", {})  # type: ignore[operator]

    def allowed(self, filters: Filters) -> set[str]:
        """As if all of them were columns of one release."""
        columns = {
            name: read_attribute(pa.chunked_array([self._column(name, kind)]))
            for name, kind in TYPES.items()
        }
        mask: Mask = matching(columns, filters, len(self.known))
        ids = [item_id for item_id, passes in zip(self.known, mask, strict=True) if passes]
        rows = self.catalogue.rows_of(ids)
        free = self.stock.in_stock[rows] & ~self.catalogue.is_blocked[rows]
        return {item_id for item_id, is_free in zip(ids, free, strict=True) if is_free}

    def _column(self, name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([its[name] for its in self.known.values()], kind)

    def nearest(self, n: int, filters: Filters) -> list[float]:
        """Scores of the n nearest that are allowed, best first."""
        rows = self.catalogue.rows_of(sorted(self.allowed(filters)))
        return sorted((self.catalogue.vectors[rows] @ QUERY).tolist(), reverse=True)[:n]

    def ids(self, rows: Sequence[int]) -> list[str]:
        return [self.catalogue.item_ids[row] for row in rows]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def words(known: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(known), max_size=2).map(tuple)


PRICES = st.none() | st.sampled_from([0.5, 1.0, 2.5])
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "category": st.builds(Condition, any_of=words(WORDS), none_of=words(WORDS)),
        "tags": st.builds(Condition, any_of=words(TAGS), none_of=words(TAGS)),
        "seller": st.builds(Condition, any_of=words(SELLERS), none_of=words(SELLERS)),
        "price": st.builds(Condition, at_least=PRICES, at_most=PRICES),
        "is_vegan": st.builds(Condition, is_set=st.none() | st.booleans()),
        "not declared": st.just(Condition(any_of=("x",))),
    },
).map(Filters.of)
ITEM = st.fixed_dictionaries(
    {"category": st.sampled_from(WORDS[:3])},
    optional={
        "price": st.none() | st.sampled_from([0.5, 1.0, 2.5]),
        "seller": st.sampled_from(["", "anna", "zoe"]),
        "tags": words(TAGS[:2]),
        "is_vegan": st.none() | st.booleans(),
    },
)
CHANGE = st.tuples(
    st.sampled_from(["i0", "i1", "n-0", "n-1", "n-2"]),
    st.sampled_from(
        [
            *({"stock": 0}, {"stock": 2}, {"price": 2.5}, {"price": 0.5}, {"is_blocked": True}),
            *({"attributes": {"category": word}} for word in WORDS[:3]),
            {"attributes": {"seller": "zoe", "is_vegan": True}},
            {"attributes": {"is_vegan": False}, "price": 1.0},
            *({"attributes": {"tags": tags}} for tags in ((), ("red",), TAGS[:2])),
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), ITEM), max_size=8),
    st.lists(st.tuples(CHANGE, FILTERS), max_size=4),
    FILTERS,
    st.integers(0, 60),
)
def test_lists_hold_the_nearest_of_old_and_new(
    arrivals: list[tuple[int, Mapping[str, Value]]],
    changes: list[tuple[tuple[str, dict[str, object]], Filters]],
    filters: Filters,
    n: int,
) -> None:
    shop = Shop()
    for number, values in arrivals:
        shop.arrive(number, **values)
    for (item_id, said), asked in changes:
        shop.router.search(QUERY, 5, asked)  # compiled before the change
        if item_id in shop.known:
            shop.tell(item_id, **said)
    found = shop.router.search(QUERY, n, filters)
    free = [one for one in shop.ids(found.rows) if one in shop.allowed(filters)]
    assert len(free) == len(set(free)) == min(n, len(shop.allowed(filters)))
    assert np.all(np.diff(found.scores) <= 0)
    rows = shop.catalogue.rows_of(free)
    np.testing.assert_allclose(
        np.sort(shop.catalogue.vectors[rows] @ QUERY)[::-1], shop.nearest(n, filters), atol=1e-6
    )
    assert len(found.rows) <= 2 * n
    everything = np.arange(len(shop.catalogue))
    passing = everything[shop.router.passes(everything, filters)]
    passing = passing[shop.stock.in_stock[passing] & ~shop.catalogue.is_blocked[passing]]
    assert set(shop.ids(passing)) == shop.allowed(filters)
    popular = shop.ids(shop.router.most_popular(filters, n))
    assert len(popular) == len(set(popular)) == min(n, len(shop.allowed(filters)))
    assert set(popular) <= shop.allowed(filters)


def test_while_nothing_has_arrived_the_router_is_asked_alone(shop: Shop) -> None:
    found = shop.router.search(QUERY, 5)
    assert found.rows.tolist() == shop.router.built.search(QUERY, 5).rows.tolist()
    assert shop.router.search(QUERY, 0).rows.tolist() == []


def test_a_price_that_changes_is_followed_by_filters_that_were_asked_before(shop: Shop) -> None:
    cheap = Filters.of({"price": Condition(at_most=0.7)})
    assert len(shop.router.search(QUERY, 5, cheap).rows) == 0
    shop.tell("i7", price=0.5)
    assert shop.ids(shop.router.search(QUERY, 5, cheap).rows) == ["i7"]
    shop.arrive(0, price=9.0)
    shop.router.search(QUERY, 5, cheap)
    shop.tell("n-0", price=0.6)
    assert set(shop.ids(shop.router.search(QUERY, 5, cheap).rows)) == {"i7", "n-0"}


def test_an_attribute_that_changes_is_followed_by_filters_that_were_asked_before(
    shop: Shop,
) -> None:
    shop.arrive(0, tags=("old",))
    red = Filters.of({"tags": Condition(any_of=("red",))})
    assert len(shop.router.search(QUERY, 5, red).rows) == 0
    for item_id in ("i7", "n-0"):
        shop.tell(item_id, attributes={"tags": ("red", "new")})
    assert set(shop.ids(shop.router.search(QUERY, 5, red).rows)) == {"i7", "n-0"}
    assert shop.catalogue.attributes["tags"].unknown(Condition(any_of=("new", "x"))) == ("x",)
    shop.tell("i7", attributes={"tags": ()})
    assert shop.ids(shop.router.search(QUERY, 5, red).rows) == ["n-0"]
    plain = Filters.of({"tags": Condition(none_of=("red", "old"))})
    assert shop.ids(shop.router.search(QUERY, 5, plain).rows) == ["i7"]


def test_words_that_only_arrivals_have_are_known(shop: Shop) -> None:
    category = shop.catalogue.attributes["category"]
    asked = Condition(any_of=("books", "garden"))
    assert category.unknown(asked) == ("garden",)
    shop.arrive(0, category="garden")
    assert category.unknown(asked) == ()
    garden = Filters.of({"category": Condition(any_of=("garden",))})
    assert shop.ids(shop.router.search(QUERY, 5, garden).rows) == ["n-0"]


def test_an_attribute_of_another_kind_than_declared_is_unknown(shop: Shop) -> None:
    shop.arrive(0, is_vegan="yes", tags=3.0, colour="red")
    vegan = Filters.of({"is_vegan": Condition(is_set=True)})
    assert "n-0" not in shop.ids(shop.router.search(QUERY, N, vegan).rows)
    assert "n-0" in shop.ids(shop.router.search(QUERY, N + 1, NO_FILTERS).rows)

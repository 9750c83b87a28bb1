"""What is said of items, on top of a release."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.catalogue.growing import ARRIVALS_MAX
from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.catalogue.updates import LiveUpdates
from service.domain.arrays import Vector
from service.domain.items import ItemUpdate, NewItem
from service.items import Items
from tests.fake_memories import CountedItems
from tests.fakes import FakeItems
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


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_stock_price_and_policy_of_a_known_item(shop: Shop) -> None:
    assert shop.tell("i2", stock=0, price=2.5, is_blocked=True) == ["applied"] * 3
    assert shop.state("i2") == (False, 2.5, True)
    assert shop.tell("i2", stock=0, price=2.5, is_blocked=True) == ["unchanged"] * 3
    assert shop.tell("i2", stock=9, price=3.0, is_blocked=False) == ["applied"] * 3
    assert shop.state("i2") == (True, 3.0, False)
    assert shop.tell("nobody", stock=0, price=1.0, is_blocked=True) == ["unknown"] * 3


def test_a_release_knows_better_than_an_older_price_but_not_than_an_older_block(
    shop: Shop,
) -> None:
    assert shop.tell("i2", EARLIER_S, stock=0, price=2.5, is_blocked=True) == [
        *("applied", "older", "applied")
    ]
    assert shop.state("i2") == (False, 1.0, True)
    assert shop.tell("i2", EARLIER_S, is_blocked=False) == ["older"]
    assert shop.state("i2") == (False, 1.0, True)


def test_whoever_compares_stock_by_identity_learns_of_a_block(shop: Shop) -> None:
    before = shop.stock.in_stock
    shop.tell("i2", is_blocked=True)
    assert shop.stock.in_stock is not before
    before = shop.stock.in_stock
    shop.tell("i2", is_blocked=True, price=7.0, stock=3)
    assert shop.stock.in_stock is before


def test_an_item_that_arrives_is_like_any_other_but_new(shop: Shop) -> None:
    assert shop.tell("n-1", stock=3, new=LAMP) == ["applied", "unchanged"]
    catalogue, row = shop.catalogue, shop.catalogue.row_of("n-1")
    assert (row, len(catalogue), len(shop.stock.in_stock)) == (6, 7, 7)
    assert catalogue.rows_of(["i1", "n-1", "nobody"]).tolist() == [1, 6, -1]
    assert (catalogue.item_ids[row], catalogue.titles[row]) == ("n-1", "lamp")
    assert catalogue.category_names[catalogue.categories[row]] == "garden"
    assert catalogue.seller_names[catalogue.sellers[row]] == "bert"
    assert shop.state("n-1") == (True, 12.5, False)
    assert catalogue.is_new[row]
    assert catalogue.is_little_known[row]
    assert catalogue.popularity[row] == 0.0
    assert np.array_equal(catalogue.vectors[row], np.eye(DIM)[0])
    assert shop.updates.arrived == (1, 0)


def test_vectors_of_old_and_new_items_are_looked_up_together(shop: Shop) -> None:
    shop.tell("n-1", new=LAMP)
    rows = np.array([[6, 0], [-1, 5]])
    found = shop.catalogue.vectors[rows]
    assert found.argmax(axis=2).tolist() == [[0, 0], [1, 1]]
    assert shop.catalogue.vectors[np.array([], dtype=np.int64)].shape == (0, DIM)


def test_an_arrival_sold_out_blocked_and_repriced(shop: Shop) -> None:
    shop.tell("n-1", new=LAMP, stock=0, is_blocked=True)
    assert shop.state("n-1") == (False, 12.5, True)
    assert shop.tell("n-1", LATER_S - 0.5, price=1.0) == ["older"]
    assert shop.tell("n-1", LATER_S + 1, stock=2, price=9.0, is_blocked=False) == ["applied"] * 3
    assert shop.state("n-1") == (True, 9.0, False)


def test_the_same_item_again_changes_nothing(shop: Shop) -> None:
    shop.tell("n-1", new=LAMP)
    assert shop.tell("n-1", LATER_S + 1, new=replace(LAMP)) == ["unchanged"]
    assert len(shop.catalogue) == 7


def test_an_item_told_again_with_another_price_keeps_its_row(shop: Shop) -> None:
    shop.tell("n-1", new=LAMP)
    assert shop.tell("n-1", LATER_S + 1, new=replace(LAMP, price=5.0)) == ["applied"]
    assert (shop.catalogue.row_of("n-1"), len(shop.catalogue)) == (6, 7)
    assert shop.state("n-1") == (True, 5.0, False)
    shop.tell("n-1", LATER_S + 2, new=replace(LAMP, price=None))
    assert np.isnan(shop.catalogue.prices[6])


def test_an_item_told_anew_gets_another_row_and_keeps_what_was_said_of_it(shop: Shop) -> None:
    shop.tell("n-1", new=LAMP, stock=0, is_blocked=True)
    assert shop.tell("n-1", LATER_S + 1, new=replace(LAMP, title="a lamp", price=5.0)) == [
        "applied"
    ]
    assert shop.catalogue.row_of("n-1") == 7
    assert shop.state("n-1") == (False, 5.0, True)
    assert shop.catalogue.is_blocked[6]  # the former row
    assert shop.updates.arrived == (1, 0)


def test_an_item_of_the_release_keeps_its_words_and_takes_a_newer_price(shop: Shop) -> None:
    assert shop.tell("i3", new=LAMP, price=12.5) == ["older", "applied"]
    assert shop.catalogue.titles[3] == "i3"
    assert shop.state("i3") == (True, 12.5, False)
    assert shop.tell("i4", EARLIER_S, new=LAMP, price=12.5) == ["older", "older"]
    assert shop.state("i4") == (True, 1.0, False)


def test_without_a_vector_an_item_waits(shop: Shop) -> None:
    assert shop.tell("n-1", new=replace(LAMP, title=NO_VECTOR), stock=1) == [
        *("no_vector", "unknown")
    ]
    assert shop.state("n-1") is None
    assert shop.updates.arrived == (0, 1)
    shop.tell("n-1", new=LAMP)
    assert shop.updates.arrived == (1, 0)


def test_only_so_many_items_arrive(shop: Shop) -> None:
    shop.updates.apply([ItemUpdate(f"n-{n}", LATER_S, new=LAMP) for n in range(ARRIVALS_MAX)])
    assert shop.tell("one-too-many", new=LAMP) == ["full"]
    assert shop.state("one-too-many") is None
    assert shop.state(f"n-{ARRIVALS_MAX - 1}") == (True, 12.5, False)


SAYINGS = [
    ItemUpdate(item_id, 0.0, **said)  # type: ignore[arg-type]
    for item_id in ("i0", "i1", "n-0", "n-1")
    for said in (
        {"stock": 0},
        {"stock": 2},
        {"price": 2.5},
        {"price": 9.0, "stock": 1},
        {"is_blocked": True},
        {"is_blocked": False},
        {"new": LAMP},
        {"new": LAMP, "stock": 0},
        {"new": replace(LAMP, price=3.5), "price": 3.5},
        {"new": replace(LAMP, title="another", price=None), "is_blocked": True},
    )
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.sampled_from(SAYINGS), max_size=4))))
async def test_who_was_told_bit_by_bit_knows_what_a_newcomer_is_told(
    rounds: list[tuple[int, list[ItemUpdate]]],
) -> None:
    """Two processes tell each other, each applying its own words at once; a third starts last."""
    store, now_s = FakeItems(keeps=3), BUILT_AT_S
    shops = [Shop(), Shop(), Shop()]
    first, second, newcomer = (
        Items(store, Held(shop), lambda: 0.0, CountedItems()) for shop in shops
    )
    for who, words in rounds:
        now_s += 1.0
        said = [replace(word, at_s=now_s) for word in words]
        if who < 2:
            await (first, second)[who].update(said)
        else:
            await first.catch_up()
    for items in (first, second, newcomer):
        await items.catch_up()
        await items.catch_up()
    for item_id in ("i0", "i1", "n-0", "n-1"):
        states = [shop.state(item_id) for shop in shops]
        np.testing.assert_equal(states[0], states[2])
        np.testing.assert_equal(states[1], states[2])


class Held:
    """`service.ports.serving.Releases` with one release, of which only the updates are used."""

    def __init__(self, shop: Shop) -> None:
        self.live = cast(Any, shop)


IDS = st.sampled_from(["i0", "i1", "n-0", "n-1", "n-2"])
SAID = st.builds(
    ItemUpdate,
    item_id=IDS,
    at_s=st.sampled_from([EARLIER_S, LATER_S]),
    stock=st.none() | st.integers(0, 2),
    price=st.none() | st.sampled_from([1.0, 2.5, 9.0]),
    is_blocked=st.none() | st.booleans(),
    new=st.none()
    | st.sampled_from([LAMP, replace(LAMP, price=2.5), replace(LAMP, title="other", price=None)]),
)


class Oracle:
    """The same in plain words: one dict per item."""

    def __init__(self) -> None:
        self.items = {
            one: {"since": BUILT_AT_S, "stock": True, "price": 1.0, "blocked": False, "new": None}
            for one in ("i0", "i1")
        }

    def tell(self, update: ItemUpdate) -> None:
        if update.new is not None:
            self._arrive(update, update.new)
        its = self.items.get(update.item_id)
        if its is None:
            return
        is_newer = update.at_s >= its["since"]  # type: ignore[operator]
        if update.stock is not None:
            its["stock"] = update.stock > 0
        if update.price is not None and is_newer:
            its["price"] = update.price
        is_new = its["new"] is not None
        if update.is_blocked is not None and (update.is_blocked or is_newer or is_new):
            its["blocked"] = update.is_blocked

    def _arrive(self, update: ItemUpdate, new: NewItem) -> None:
        its = self.items.setdefault(update.item_id, {"stock": True, "blocked": False, "new": None})
        if not update.item_id.startswith("i"):
            its |= {"new": new, "since": update.at_s, "price": new.price}


@given(st.lists(SAID, max_size=12), st.integers(1, 4))
def test_any_updates_in_any_portions_are_what_plain_words_say(
    said: list[ItemUpdate], portion: int
) -> None:
    shop, oracle = Shop(), Oracle()
    for start in range(0, len(said), portion):
        shop.updates.apply(said[start : start + portion])
    for update in said:
        oracle.tell(update)
    for item_id in ("i0", "i1", "n-0", "n-1", "n-2"):
        its = oracle.items.get(item_id)
        found = shop.state(item_id)
        if its is None:
            assert found is None
            continue
        price = np.nan if its["price"] is None else its["price"]
        assert found is not None
        np.testing.assert_equal(found, (its["stock"], price, its["blocked"]))

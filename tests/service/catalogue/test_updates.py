"""What is said of items, on top of a release."""

from dataclasses import replace

import numpy as np
import pytest

from service.catalogue.growing import ARRIVALS_MAX
from service.domain.items import ItemUpdate
from tests.service.catalogue.shelves import DIM
from tests.service.catalogue.told import EARLIER_S, LAMP, LATER_S, NO_VECTOR, Shop


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


def test_attributes_of_a_known_item_and_of_an_arrival(shop: Shop) -> None:
    shop.tell("n-1", new=replace(LAMP, attributes={"is_vegan": True}))
    assert (shop.passed("i0"), shop.passed("n-1")) == (["cheap"], ["vegan"])
    said = {"category": "toys", "seller": "anna", "tags": ("red", "big"), "is_vegan": True}
    for item_id in ("i0", "n-1"):
        shop.tell(item_id, attributes=said)
        assert shop.tell(item_id, attributes=said) == ["unchanged"] * 4
        assert set(shop.passed(item_id)) - {"cheap"} == {"toys", "anna", "red", "vegan"}
        row = shop.catalogue.row_of(item_id)
        assert shop.catalogue.category_names[shop.catalogue.categories[row]] == "toys"
        assert shop.catalogue.seller_names[shop.catalogue.sellers[row]] == "anna"
    assert shop.passed("i2") == ["cheap"]
    shop.tell("i0", attributes={"tags": (), "is_vegan": False, "category": "new"})
    assert shop.passed("i0") == ["anna", "cheap"]


def test_what_is_no_attribute_of_the_release_and_no_value_of_it_changes_nothing(
    shop: Shop,
) -> None:
    odd = {"colour": "red", "price": 9.0, "tags": "red", "is_vegan": 1.0, "category": ""}
    assert shop.tell("i0", attributes=odd) == ["unknown"] * 5
    assert shop.tell("nobody", attributes={"category": "toys"}) == ["unknown"]
    assert (shop.passed("i0"), shop.state("i0")) == (["cheap"], (True, 1.0, False))


def test_a_release_and_an_item_told_anew_know_better_than_older_attributes(shop: Shop) -> None:
    assert shop.tell("i0", EARLIER_S, attributes={"category": "toys"}) == ["older"]
    shop.tell("n-1", new=LAMP)
    shop.tell("n-1", LATER_S + 1, attributes={"category": "toys", "tags": ("red",)})
    assert shop.tell("n-1", LATER_S + 2, new=LAMP) == ["applied"]
    assert shop.passed("n-1") == []
    assert shop.tell("n-1", LATER_S + 1, attributes={"category": "toys"}) == ["older"]
    row = shop.catalogue.row_of("n-1")
    assert shop.catalogue.category_names[shop.catalogue.categories[row]] == "garden"
    assert (row, len(shop.catalogue)) == (6, 7)


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

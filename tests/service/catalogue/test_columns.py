"""The catalogue as columns, and the stock beside it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pa_parquet
import pytest

from models.building.draft import ItemColumns
from service.catalogue.columns import Columns, read_columns
from service.catalogue.stock import StockColumn
from service.domain.items import item_hash
from service.domain.requests import Condition, Filters

NAN = float("nan")


@pytest.fixture
def catalogue(tmp_path: Path) -> Columns:
    items = ItemColumns(
        ids=["a", "b", "c", "ü"],
        titles=["A", "B", "C", "Ü"],
        categories=["toys", "books", "toys", "books"],
        sellers=["zoe", "", "anna", "zoe"],
        prices=np.array([1.0, 2.5, NAN, 4.0], dtype=np.float32),
        popularity=np.array([0.5, 0.3, 0.2, 0.0], dtype=np.float32),
        first_seen_s=np.array([1.0, 2.0, 3.0, NAN]),
        is_new=np.array([False, False, False, True]),
    )
    path = tmp_path / "catalogue.parquet"
    pa_parquet.write_table(items.table(), path)
    return read_columns(path, np.eye(4, dtype=np.float32))


def test_names_are_sorted_and_columns_point_to_them(catalogue: Columns) -> None:
    assert catalogue.category_names == ("books", "toys")
    assert catalogue.categories.tolist() == [1, 0, 1, 0]
    assert catalogue.seller_names == ("anna", "zoe")
    assert catalogue.sellers.tolist() == [1, -1, 0, 1]


def test_ids_lead_to_rows_and_hashes(catalogue: Columns) -> None:
    assert catalogue.row_of("ü") == 3
    assert catalogue.row_of("nobody") == -1
    assert catalogue.rows_of(["c", "x", "a"]).tolist() == [2, -1, 0]
    assert catalogue.hashes.tolist() == [item_hash(item_id) for item_id in "abcü"]


def test_new_and_unpopular_items_are_little_known(catalogue: Columns) -> None:
    assert catalogue.is_little_known.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("conditions", "passing"),
    [
        ({}, "abcü"),
        ({"category": Condition(any_of=("toys",))}, "ac"),
        ({"category": Condition(any_of=("toys", "books"))}, "abcü"),
        ({"category": Condition(any_of=("cars",))}, ""),
        ({"seller": Condition(any_of=("zoe",))}, "aü"),
        ({"seller": Condition(any_of=("",))}, ""),
        ({"price": Condition(at_least=2.5)}, "bü"),
        ({"price": Condition(at_most=2.5)}, "ab"),
        ({"category": Condition(any_of=("toys",)), "price": Condition(at_most=9.0)}, "a"),
    ],
)
def test_filters_match_columns(
    catalogue: Columns, conditions: dict[str, Condition], passing: str
) -> None:
    mask = catalogue.matching(Filters.of(conditions))
    assert "".join(np.array(list("abcü"))[mask]) == passing


def test_stock_is_replaced_as_a_whole(catalogue: Columns) -> None:
    stock = StockColumn(catalogue.in_stock)
    before = stock.in_stock
    stock.put({1: False, 2: True})
    assert before.tolist() == [True] * 4
    assert stock.in_stock.tolist() == [True, False, True, True]
    stock.put({1: True})
    assert stock.in_stock.all()


def test_stock_grows_with_the_catalogue(catalogue: Columns) -> None:
    stock = StockColumn(catalogue.in_stock)
    stock.put({4: True, 5: False})
    assert stock.in_stock.tolist() == [True, True, True, True, True, False]


def test_no_change_of_stock_changes_nothing(catalogue: Columns) -> None:
    stock = StockColumn(catalogue.in_stock)
    before = stock.in_stock
    stock.put({})
    assert stock.in_stock is before

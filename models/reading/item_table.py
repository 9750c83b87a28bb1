"""The item and user tables of a data folder."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.reading.tables import Table, find_table, open_table
from models.reading.texts import numbers

ID_FORM = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
"""What the service takes as an id: 1 to 256 characters, no control characters."""


@dataclass(frozen=True, slots=True)
class Items:
    """The catalogue as columns; a row is the position of an item, sorted by item id.

    Attributes:
        tags: further labels of each item.
        years: int16 [n], 0 unknown.
        prices: float32 [n], NaN unknown. Computed over the whole period: good for filters, never
            a training feature, because it leaks the future.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[str, ...]
    sellers: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    years: NDArray[np.int16]
    prices: NDArray[np.float32]

    @property
    def n(self) -> int:
        return len(self.ids)

    def rows(self) -> dict[str, int]:
        """Return the row of each item id."""
        return {item_id: row for row, item_id in enumerate(self.ids)}


def read_items(folder: Path) -> Items:
    """Read `items.csv.gz`, `items.csv` or `items.parquet`; further columns are ignored.

    Raises:
        DataInvalid: the file is missing or broken, an id is empty, too long or given twice, or a
            price or year is not a number.
    """
    table = open_table(folder, "items", ("item_id", "title"))
    columns = _columns(table, ("item_id", "title", "category", "tags", "brand", "price", "year"))
    ids = columns["item_id"]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    _check_ids(table.path, [ids[i] for i in order])

    def sort(name: str) -> list[str]:
        column = columns[name]
        return [column[i] for i in order]

    return Items(
        ids=tuple(sort("item_id")),
        titles=tuple(sort("title")),
        categories=tuple(label or "unknown" for label in sort("category")),
        sellers=tuple(sort("brand")),
        tags=tuple(tuple(filter(None, tags.split("|"))) for tags in sort("tags")),
        years=np.nan_to_num(_numbers(table.path, "year", sort("year"))).astype(np.int16),
        prices=_numbers(table.path, "price", sort("price")).astype(np.float32),
    )


def read_countries(folder: Path) -> dict[str, str]:
    """Return the country of each user in the optional `users` table; empty without one."""
    if find_table(folder, "users") is None:
        return {}
    columns = _columns(open_table(folder, "users", ("user_id",)), ("user_id", "country"))
    return dict(zip(columns["user_id"], columns["country"], strict=True))


def _columns(table: Table, names: Iterable[str]) -> dict[str, list[str]]:
    """Read some columns as text, '' for an empty field or a missing column."""
    columns: dict[str, list[str]] = {name: [] for name in names}
    for batch in table.batches():
        for name, values in columns.items():
            there = name in table.names
            found = batch.column(name).to_pylist() if there else [""] * batch.num_rows
            values.extend(value or "" for value in found)
    if table.malformed.count:
        raise DataInvalid(
            f"{table.path}: a row has too few or too many fields, {table.malformed.example}"
        )
    return columns


def _check_ids(path: Path, ids: list[str]) -> None:
    if not ids:
        raise DataInvalid(f"{path} has no rows: it needs at least one item")
    for item_id, after in zip(ids, [*ids[1:], None], strict=True):
        if not ID_FORM.fullmatch(item_id):
            raise DataInvalid(f"{path}: item_id {item_id[:40]!r} must have 1 to 256 characters")
        if item_id == after:
            raise DataInvalid(f"{path} lists item_id {item_id!r} twice: keep one row per item")


def _numbers(path: Path, name: str, column: list[str]) -> NDArray[np.float64]:
    values, bad = numbers(pa.array([text or None for text in column], pa.string()))
    if bad.any():
        text = column[int(np.argmax(bad))]
        raise DataInvalid(f"{path}: {name} {text!r} is not a number: correct it or leave it empty")
    return values

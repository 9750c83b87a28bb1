"""The interaction log of one data folder, validated, nothing lost in silence."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.reading.item_table import Items, read_countries, read_items
from models.reading.rows import COLUMNS, Drop, RowReader, Rows
from models.reading.tables import open_table
from models.recipes import Dataset
from service.domain.actions import ACTION_CODES, NEGATIVE

__all__ = ["Drop", "Items", "Log", "positive", "read_log", "split_time"]

ORDER_GAP_S = 3600
"""Events without a session belong to one order while they follow each other faster than this."""

POSITIVE_CODES = tuple(code for name, code in ACTION_CODES.items() if name not in NEGATIVE)


@dataclass(frozen=True, slots=True)
class Log:
    """All events that were kept, sorted by time (stable), as columns.

    Attributes:
        users, countries: per user; a country is '' where unknown.
        user, item: int32 [n], position in `users` and row in `items`.
        action: int8 [n], position in `service.domain.actions.ACTIONS`.
        at_s: int64 [n], epoch seconds.
        order: int32 [n], 0.. in order of first appearance: the session of a user where given,
            else events with gaps below an hour.
        value, price: float32 [n], NaN where unknown.
        drops: why rows are missing; the sum of their counts + n is `rows_read`.
        notes: what was converted on the way, one sentence each.
    """

    name: str
    users: tuple[str, ...]
    countries: tuple[str, ...]
    items: Items
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    action: NDArray[np.int8]
    at_s: NDArray[np.int64]
    order: NDArray[np.int32]
    value: NDArray[np.float32]
    price: NDArray[np.float32]
    drops: tuple[Drop, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.user)

    @property
    def rows_read(self) -> int:
        return self.n + sum(drop.count for drop in self.drops)

    def before(self, until_s: int) -> Self:
        """Only the events before an instant (epoch seconds) and their users; all items stay."""
        n = int(np.searchsorted(self.at_s, until_s))
        used, user = np.unique(self.user[:n], return_inverse=True)
        names = ("item", "action", "at_s", "order", "value", "price")
        return replace(
            self,
            users=tuple(self.users[i] for i in used),
            countries=tuple(self.countries[i] for i in used),
            user=user.astype(np.int32),
            **{name: getattr(self, name)[:n] for name in names},
        )


def read_log(folder: Path, dataset: Dataset, now_s: float | None = None) -> Log:
    """Read a folder in the common format (CSV, gzipped or not, or Parquet).

    Args:
        folder: holds `events`, `items` and perhaps `users`.
        dataset: what the event types mean.
        now_s: events newer than this are dropped; the clock's time when not given.

    Raises:
        DataInvalid: a file is missing or broken, a column is unknown or missing, units are mixed,
            or nothing is left. Single bad rows do not raise: they are counted in `drops`.
    """
    items = read_items(folder)
    table = open_table(folder, "events", COLUMNS[:4])
    unknown = [name for name in table.names if name not in COLUMNS]
    if unknown:
        known = ", ".join(COLUMNS)
        raise DataInvalid(f"{table.path} has the unknown column {unknown[0]!r}: only {known}")
    reader = RowReader(table.path, items.rows(), dataset.actions)
    for batch in table.batches():
        reader.add(batch)
    rows = reader.finish(time.time() if now_s is None else now_s, table.malformed)
    if not len(rows.user):
        raise DataInvalid(_nothing(table.path, rows.drops))
    return _log(dataset.name, items, rows, read_countries(folder))


def split_time(log: Log, quantile: float = 0.8) -> int:
    """Return the time (epoch s) before which this share of all events lies."""
    return int(np.quantile(log.at_s, quantile, method="higher"))


def positive(log: Log) -> NDArray[np.bool_]:
    """Return bool [n]: the event speaks for its item."""
    return np.isin(log.action, POSITIVE_CODES)


def _nothing(path: Path, drops: tuple[Drop, ...]) -> str:
    if not drops:
        return f"{path} has no rows: it needs at least one event"
    most = max(drops, key=lambda drop: drop.count)
    total = sum(drop.count for drop in drops)
    return f"{path}: all {total} rows were dropped, most because: {most.reason} ({most.example})"


def _log(name: str, items: Items, rows: Rows, countries: dict[str, str]) -> Log:
    used, code = np.unique(rows.user, return_inverse=True)
    users = [rows.user_names[code] for code in used]
    by_name = np.array(sorted(range(len(users)), key=users.__getitem__), dtype=np.int64)
    place = np.empty(len(users), np.int32)
    place[by_name] = np.arange(len(users), dtype=np.int32)
    user: NDArray[np.int32] = place[code]
    ids = tuple(users[i] for i in by_name)
    return Log(
        name=name,
        users=ids,
        countries=tuple(countries.get(user_id, "") for user_id in ids),
        items=items,
        user=user,
        item=rows.item.astype(np.int32),
        action=rows.action.astype(np.int8),
        at_s=rows.at_s,
        order=_orders(user, rows.session, rows.at_s),
        value=rows.value.astype(np.float32),
        price=rows.price.astype(np.float32),
        drops=rows.drops,
        notes=rows.notes,
    )


def _orders(
    user: NDArray[np.int32], session: NDArray[np.int32], at_s: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Number the orders 0.. by first appearance; `session` is -1 where the source has none."""
    part = session.astype(np.int64)
    bare = np.flatnonzero(session < 0)
    by_user = bare[np.lexsort((at_s[bare], user[bare]))]
    starts = np.ones(len(by_user), np.bool_)
    starts[1:] = (np.diff(user[by_user]) != 0) | (np.diff(at_s[by_user]) >= ORDER_GAP_S)
    part[by_user] = part.max(initial=-1) + np.cumsum(starts)
    key = user * (part.max(initial=0) + 1) + part
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return number[inverse]

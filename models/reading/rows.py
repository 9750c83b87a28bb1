"""Validation of event rows: each is kept, or counted under the first reason against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.reading.item_table import ID_FORM
from models.reading.tables import Malformed
from models.reading.texts import codes, numbers
from models.recipes import Band
from service.domain.actions import ACTION_CODES, IMPRESSION

COLUMNS = ("user_id", "item_id", "event_type", "timestamp", "session_id", "value", "price")
"""The columns of an events file; the first four are required."""

SECONDS = (1e8, 1e11)
MILLISECONDS = (1e11, 1e14)
"""Timestamps are told apart by size: 1973 is 1e8 in seconds and 1e11 in milliseconds."""

REASONS = (
    "no user_id",
    "user_id longer than 256 characters or with control characters",
    "no item_id",
    "item not in the items file",
    "no event type",
    "impressions are no actions",
    "unknown event type",
    "timestamp is not a number of seconds since 1970",
    "value is not a number",
    "price is not a number of 0 or more",
    "value missing or below every band of its event type",
    "timestamp in the future",
    "repeat of an earlier row (same user, item, type, time and session)",
    "wrong number of fields",
)
FUTURE, REPEAT, MALFORMED = 11, 12, 13
KEPT = -1
NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True)
class Drop:
    """Rows that were left out for one reason, with the first of them as an example."""

    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that were kept, as columns sorted by time; user and session are codes (-1 none)."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    action: NDArray[np.int8]
    session: NDArray[np.int32]
    at_s: NDArray[np.int64]
    value: NDArray[np.float64]
    price: NDArray[np.float64]
    user_names: tuple[str, ...]
    drops: tuple[Drop, ...]
    notes: tuple[str, ...]


FIELDS = ("user", "item", "action", "session", "time", "value", "price")
Columns = dict[str, NDArray[np.float64]]


@dataclass(slots=True)
class RowReader:
    """Takes batches of text columns, hands out the valid rows and the account of the others."""

    path: Path
    item_rows: Mapping[str, int]
    actions: Mapping[str, tuple[Band, ...]]
    users: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)
    parts: list[Columns] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(REASONS), np.int64))
    examples: dict[int, str] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        """Check one batch and keep its valid rows."""
        why = np.full(batch.num_rows, KEPT, np.int8)
        columns = self._ids(batch, why) | self._numbers(batch, why)
        columns["action"] = self._actions(batch, columns["value"], why)
        for reason in np.unique(why[why != KEPT]):
            row = batch.slice(int(np.argmax(why == reason)), 1).to_pylist()[0]
            self._drop(int(reason), int((why == reason).sum()), _text(row))
        self.parts.append({name: columns[name][why == KEPT] for name in FIELDS})

    def finish(self, now_s: float, malformed: Malformed) -> Rows:
        """Return the rows, after the checks that need the whole file.

        Raises:
            DataInvalid: the file mixes seconds and milliseconds, or uses a smaller unit.
        """
        whole = {
            name: np.concatenate([part[name] for part in self.parts] or [NOTHING])
            for name in FIELDS
        }
        at_s, notes = _seconds(self.path, whole["time"])
        whole["time"] = at_s
        whole = self._without(whole, at_s > now_s, FUTURE)
        whole = {
            name: column[np.argsort(whole["time"], kind="stable")] for name, column in whole.items()
        }
        whole = self._without(whole, _repeats(whole), REPEAT)
        if malformed.count:
            self._drop(MALFORMED, malformed.count, malformed.example)
        return Rows(
            user=whole["user"].astype(np.int32),
            item=whole["item"].astype(np.int32),
            action=whole["action"].astype(np.int8),
            session=whole["session"].astype(np.int32),
            at_s=whole["time"].astype(np.int64),
            value=whole["value"],
            price=whole["price"],
            user_names=tuple(self.users),
            drops=tuple(
                Drop(REASONS[i], int(self.counts[i]), self.examples[i])
                for i in sorted(self.examples)
            ),
            notes=notes,
        )

    def _drop(self, reason: int, count: int, example: str) -> None:
        self.counts[reason] += count
        self.examples.setdefault(reason, example)

    def _without(self, rows: Columns, bad: NDArray[np.bool_], reason: int) -> Columns:
        if bad.any():
            first = {name: column[int(np.argmax(bad))] for name, column in rows.items()}
            users, items = list(self.users), list(self.item_rows)
            example = f"user_id={users[int(first['user'])]} item_id={items[int(first['item'])]}"
            self._drop(reason, int(bad.sum()), f"{example} timestamp={int(first['time'])}")
        return {name: column[~bad] for name, column in rows.items()}

    def _ids(self, batch: pa.RecordBatch, why: NDArray[np.int8]) -> Columns:
        user, names = codes(batch.column("user_id"))
        fit = np.array([bool(ID_FORM.fullmatch(name)) for name in names] + [True])
        _mark(why, user < 0, 0)
        _mark(why, ~fit[user], 1)
        item, names = codes(batch.column("item_id"))
        rows = np.array([self.item_rows.get(name, -1) for name in names] + [-1])
        _mark(why, item < 0, 2)
        _mark(why, rows[item] < 0, 3)
        return {
            "user": _global(self.users, batch.column("user_id")),
            "item": rows[item].astype(np.float64),
            "session": _global(self.sessions, _column(batch, "session_id")),
        }

    def _numbers(self, batch: pa.RecordBatch, why: NDArray[np.int8]) -> Columns:
        time, _ = numbers(batch.column("timestamp"))
        value, bad_value = numbers(_column(batch, "value"))
        price, bad_price = numbers(_column(batch, "price"))
        self._types(batch, why)
        _mark(why, ~(time >= SECONDS[0]), 7)
        _mark(why, bad_value, 8)
        _mark(why, bad_price | (price < 0), 9)
        return {"time": time, "value": value, "price": price}

    def _types(self, batch: pa.RecordBatch, why: NDArray[np.int8]) -> None:
        label, names = codes(batch.column("event_type"))
        known = np.array([name in self.actions for name in names] + [False])
        seen = np.array([name == IMPRESSION for name in names] + [False])
        _mark(why, label < 0, 4)
        _mark(why, seen[label] & ~known[label], 5)
        _mark(why, ~known[label], 6)

    def _actions(
        self, batch: pa.RecordBatch, value: NDArray[np.float64], why: NDArray[np.int8]
    ) -> NDArray[np.float64]:
        """Return the action code of each row: the highest band that its value reaches."""
        label, names = codes(batch.column("event_type"))
        action = np.full(batch.num_rows, -1.0)
        for code, name in enumerate(names):
            for band in reversed(self.actions.get(name, ())):
                reaches = (value >= band.at_least) | (np.isnan(value) & np.isinf(band.at_least))
                action[(label == code) & reaches] = ACTION_CODES[band.action]
        _mark(why, action < 0, 10)
        return action


def _mark(why: NDArray[np.int8], bad: NDArray[np.bool_], reason: int) -> None:
    why[bad & (why == KEPT)] = reason


def _global(known: dict[str, int], column: pa.Array) -> NDArray[np.float64]:
    """Return codes that are the same in every batch, -1 where empty."""
    local, names = codes(column)
    lookup = [known.setdefault(name, len(known)) for name in names]
    return np.array([*lookup, -1], np.float64)[local]


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    missing = name not in batch.schema.names
    return pa.nulls(batch.num_rows, pa.string()) if missing else batch.column(name)


def _text(row: Mapping[str, str | None]) -> str:
    return " ".join(f"{name}={value[:60]}" for name, value in row.items() if value)


def _seconds(path: Path, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the times in seconds, with a note if they were converted."""
    in_ms = (time >= MILLISECONDS[0]) & (time < MILLISECONDS[1])
    finer = time >= MILLISECONDS[1]
    if finer.any():
        example = int(time[np.argmax(finer)])
        raise DataInvalid(f"{path}: timestamp {example} is finer than milliseconds: write seconds")
    if in_ms.any() and not in_ms.all():
        one, other = int(time[np.argmax(in_ms)]), int(time[np.argmin(in_ms)])
        raise DataInvalid(f"{path} mixes milliseconds ({one}) and seconds ({other}): write seconds")
    if in_ms.any():
        return np.floor(time / 1000), (f"{path.name}: timestamps are milliseconds, read as such",)
    return np.floor(time), ()


def _repeats(rows: Columns) -> NDArray[np.bool_]:
    """Return bool [n]: an earlier row has the same user, item, type, time and session."""
    keys = [rows[name] for name in ("session", "action", "item", "user", "time")]
    order = np.lexsort(keys)
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= np.diff(key[order]) == 0
    repeat = np.zeros(len(order), np.bool_)
    repeat[order[1:]] = same
    return repeat

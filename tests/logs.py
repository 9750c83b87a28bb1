"""Interaction logs written as a table of a few rows, to be checked by eye."""

from collections.abc import Sequence

import numpy as np

from models.interactions import Log
from models.reading.item_table import Items
from service.domain.actions import ACTION_CODES

DAY_S = 86_400
START_S = 1_700_006_400
"""Midnight of day 0 of such a log, UTC."""

Line = tuple[str, str, str, float]
"""User, items separated by spaces, action, day."""


def make_log(lines: Sequence[Line], n_items: int = 6, names: Sequence[str] = ()) -> Log:
    """A log of items `a`, `b`, ... or as named; one line is one order, all at the same time."""
    names = names or [chr(ord("a") + i) for i in range(n_items)]
    users = sorted({user for user, *_ in lines})
    rows = [
        (START_S + round(day * DAY_S), users.index(user), names.index(item), action, order)
        for order, (user, items, action, day) in enumerate(lines)
        for item in items.split()
    ]
    rows.sort(key=lambda row: row[0])
    at_s, user, item, action, order = zip(*rows, strict=True)
    return Log(
        name="small",
        users=tuple(users),
        countries=("",) * len(users),
        items=make_items(names),
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        action=np.array([ACTION_CODES[name] for name in action], np.int8),
        at_s=np.array(at_s, np.int64),
        order=np.array(order, np.int32),
        value=np.full(len(rows), np.nan, np.float32),
        price=np.full(len(rows), np.nan, np.float32),
    )


def make_items(names: Sequence[str]) -> Items:
    n = len(names)
    return Items(
        ids=tuple(names),
        titles=tuple(f"item {name}" for name in names),
        categories=("toys",) * n,
        sellers=("",) * n,
        tags=((),) * n,
        years=np.zeros(n, np.int16),
        prices=np.full(n, np.nan, np.float32),
    )

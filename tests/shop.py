"""A toy shop: two tastes, forty items. People who like even items buy even ones, and so on."""

import csv
import gzip
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np

ITEMS, USERS, ORDERS = 40, 60, 8
START_S = 1_600_000_000
DAY_S = 86_400
TITLES = ("even lamp", "odd chair")


def make_shop(folder: Path, seed: int = 1) -> Path:
    """Write events, items and users in the common CSV format; return the folder.

    Item `i07` is odd, user `u3` likes odd items. Each user places eight orders of three distinct
    items of one taste, about every five days.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    events = []
    for user in range(USERS):
        at_s = START_S + int(rng.integers(5 * DAY_S))
        for order in range(ORDERS):
            picked = 2 * rng.permutation(ITEMS // 2)[:3] + user % 2
            for item in sorted(picked.tolist()):
                price = 1.0 + item
                line = (f"u{user}", f"i{item:02d}", "purchase", at_s, f"o{user}-{order}", 1, price)
                events.append(line)
            at_s += int(rng.integers(1, 10 * DAY_S))
    events.sort(key=lambda event: event[3])
    items = [_item(number) for number in range(ITEMS)]
    write(
        folder / "events.csv.gz",
        "user_id,item_id,event_type,timestamp,session_id,value,price",
        events,
    )
    write(folder / "items.csv.gz", "item_id,title,category,tags,brand,price,year", items)
    users = [(f"u{user}", ("Norway", "Spain")[user % 2]) for user in range(USERS)]
    write(folder / "users.csv.gz", "user_id,country", users)
    return folder


def write(path: Path, header: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Write a table, gzipped if the name ends so."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def _item(number: int) -> tuple[object, ...]:
    odd = number % 2
    return (
        f"i{number:02d}",
        f"{TITLES[odd]} no {number}",
        ("even", "odd")[odd],
        "home|gift" if odd else "home",
        f"maker {number % 4}",
        1.0 + number,
        2000 + number % 5,
    )

"""`python -m models check`: what a data folder holds, what was dropped, is it enough."""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.interactions import Log, read_log
from models.networks.item_features import DAY_S
from models.reading.item_table import read_countries
from models.recipes import load_dataset
from service.domain.actions import ACTIONS

ENOUGH = {"interactions": 10_000, "users": 1_000, "items": 500}
"""Below any of these a tower learns noise: serve content and popularity only."""

BANDS = (("0", 0, 1), ("1-4", 1, 5), ("5-49", 5, 50), ("50+", 50, None))
"""Activity bands by number of events, the segments of the evaluation."""

DIMENSIONS = ((100_000, 64), (10_000_001, 128))
LARGEST_DIMENSION = 256


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a log before training.

    Attributes:
        oldest_s, newest_s: epoch seconds of the first and last event; age_days: of the last.
        actions: events by action type.
        coverage: share of items (users for `country`) for which a feature is known.
        user_bands, item_bands: how many have 0, 1-4, 5-49, 50 or more events.
        shortfalls: what is missing for training, one phrase each; empty if there is enough.
        dim: advised length of the vectors.
    """

    log: Log
    oldest_s: int
    newest_s: int
    age_days: float
    actions: dict[str, int]
    coverage: dict[str, float]
    user_bands: dict[str, int]
    item_bands: dict[str, int]
    shortfalls: tuple[str, ...]
    dim: int


def check(log: Log, now_s: float, listed_users: int = 0) -> Report:
    """Look at a log.

    Args:
        log: as read, with the account of what was dropped.
        now_s: epoch seconds, for the age of the newest event.
        listed_users: users of the users file, who may have no event.
    """
    per_user = np.bincount(log.user, minlength=len(log.users))
    idle = max(0, listed_users - len(log.users))
    per_item = np.bincount(log.item, minlength=log.items.n)
    counts = np.bincount(log.action, minlength=len(ACTIONS))
    return Report(
        log=log,
        oldest_s=int(log.at_s[0]),
        newest_s=int(log.at_s[-1]),
        age_days=(now_s - float(log.at_s[-1])) / DAY_S,
        actions={name: int(n) for name, n in zip(ACTIONS, counts, strict=True) if n},
        coverage=_coverage(log),
        user_bands=_bands(np.append(per_user, np.zeros(idle, np.int64))),
        item_bands=_bands(per_item),
        shortfalls=shortfalls(log),
        dim=advised_dim(log.items.n),
    )


def advised_dim(n_items: int) -> int:
    """Return 64 below 100,000 items, 128 up to ten million, 256 above."""
    return next((dim for limit, dim in DIMENSIONS if n_items < limit), LARGEST_DIMENSION)


def shortfalls(log: Log) -> tuple[str, ...]:
    """Say what is missing for training, one phrase each; empty where there is enough."""
    found = {
        "interactions": log.n,
        "users": len(log.users),
        "items": len(np.unique(log.item)),
    }
    return tuple(
        f"{found[name]:,} {name}, at least {least:,} are needed"
        for name, least in ENOUGH.items()
        if found[name] < least
    )


def lines(report: Report) -> Iterator[str]:
    """Write the report for a person to read."""
    log = report.log
    yield f"{log.name}: {log.n:,} events, {len(log.users):,} users, {log.items.n:,} items"
    yield f"events      {_day(report.oldest_s)} to {_day(report.newest_s)}"
    yield f"freshness   newest event {report.age_days:,.1f} days ago"
    yield "actions     " + _join(f"{name} {count:,}" for name, count in report.actions.items())
    yield "users       " + _join(f"{name}: {count:,}" for name, count in report.user_bands.items())
    yield "items       " + _join(f"{name}: {count:,}" for name, count in report.item_bands.items())
    yield "known       " + _join(f"{name} {part:.0%}" for name, part in report.coverage.items())
    yield f"rows        {log.rows_read:,} read = {log.n:,} kept + {log.rows_read - log.n:,} dropped"
    for drop in log.drops:
        yield f"  dropped   {drop.count:,}: {drop.reason}; first: {drop.example}"
    for note in log.notes:
        yield f"  note      {note}"
    yield f"dimension   {report.dim} advised"
    yield from _verdict(report.shortfalls)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models check`."""
    parser.add_argument("data", type=Path, help="folder with events, items and perhaps users")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")


def command(args: argparse.Namespace) -> int:
    """Read the folder and print the report."""
    now_s = time.time()
    log = read_log(args.data, load_dataset(args.data, args.dataset), now_s)
    for line in lines(check(log, now_s, len(read_countries(args.data)))):
        print(line)
    return 0


def _verdict(missing: Sequence[str]) -> Iterator[str]:
    if not missing:
        yield "verdict     enough to train two towers"
        return
    yield "verdict     too little to train two towers: " + "; ".join(missing)
    yield "            a release from this data serves by content and popularity only"


def _coverage(log: Log) -> dict[str, float]:
    items = log.items
    known = {
        "title": np.array([bool(title) for title in items.titles]),
        "category": np.array([category != "unknown" for category in items.categories]),
        "seller": np.array([bool(seller) for seller in items.sellers]),
        "tags": np.array([bool(tags) for tags in items.tags]),
        "year": items.years > 0,
        "price": ~np.isnan(items.prices),
        "country": np.array([bool(country) for country in log.countries]),
    }
    return {name: float(mask.mean()) for name, mask in known.items()}


def _bands(counts: NDArray[np.int64]) -> dict[str, int]:
    return {
        name: int(((counts >= low) & (counts < (np.inf if high is None else high))).sum())
        for name, low, high in BANDS
    }


def _join(parts: Iterator[str]) -> str:
    return ", ".join(parts)


def _day(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"

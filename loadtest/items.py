"""The items that shoppers of a load test look at, drawn from the release they load."""

import itertools
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from loadtest.processes import LoadTestFailed

STORE = Path(os.environ.get("LOAD_STORE", "models/demo/store"))
"""The releases to load; LOAD_STORE names another folder than the demo's."""
POPULARITY_FLOOR = 1e-5
"""Added to every popularity, so that items without sales are looked at now and then."""


@dataclass(frozen=True, slots=True)
class Items:
    """Item ids with the running sum of their popularity."""

    ids: tuple[str, ...]
    cumulative: tuple[float, ...]

    def draw(self, rng: random.Random) -> str:
        """One item id, popular ones more often."""
        return rng.choices(self.ids, cum_weights=self.cumulative)[0]


def live_release(store: Path) -> Path:
    """The folder of the live release of a store.

    Raises:
        LoadTestFailed: the store has no CURRENT.
    """
    try:
        return store / (store / "CURRENT").read_text().strip()
    except OSError as error:
        raise LoadTestFailed(f"{store} holds no live release: {error}") from error


def read_items(store: Path = STORE) -> Items:
    """Reads ids and popularity of the live release's catalogue."""
    path = live_release(store) / "catalogue.parquet"
    table = pq.read_table(path, columns=["item_id", "popularity"])
    weights = (float(value or 0.0) + POPULARITY_FLOOR for value in table["popularity"].to_pylist())
    return Items(tuple(table["item_id"].to_pylist()), tuple(itertools.accumulate(weights)))

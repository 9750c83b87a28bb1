"""Item features taken from the log: the vocabulary, prices before a time, counts as of a day."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.interactions import Log, positive
from service.towers.item_features import (
    AS_OF_DAYS,
    ItemColumns,
    ItemNumbers,
    ItemVocabulary,
    as_of_features,
    item_numbers,
)

DAY_S = 86_400
PRICE_BUCKETS = 12
SHARED_BY = 2
"""A seller or tag that fewer items share says nothing about other items and gets no number."""


@dataclass(slots=True)
class AsOf:
    """Counts of whole days before an as-of day; what happened on that day or later is not seen.

    Attributes:
        n_items: length of the result.
        days: int64, day (epoch s // 86400) of each event, ascending.
        items, positives: row of each event, and whether it speaks for the item.
    """

    n_items: int
    days: NDArray[np.int64]
    items: NDArray[np.int32]
    positives: NDArray[np.bool_]
    first_day: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.first_day = np.full(self.n_items, np.iinfo(np.int64).max)
        np.minimum.at(self.first_day, self.items, self.days)

    @classmethod
    def of(cls, log: Log, until_s: int | None = None) -> "AsOf":
        """Take the events of a log, or those before a time."""
        use = slice(None if until_s is None else int(np.searchsorted(log.at_s, until_s)))
        return cls(log.items.n, log.at_s[use] // DAY_S, log.item[use], positive(log)[use])

    def features(self, as_of_s: int) -> NDArray[np.float32]:
        """Return float32 [n, 8] as of the start of the day that holds `as_of_s`."""
        day = as_of_s // DAY_S
        shares = np.stack([self._share(day, day - back) for back in (*AS_OF_DAYS, day)])
        age = np.where(self.first_day < day, (day - self.first_day).astype(np.float64), np.nan)
        return as_of_features(shares, age)

    def _share(self, day: int, since: int) -> NDArray[np.float64]:
        """Return each item's share of the positive events of the days [since, day)."""
        low, high = np.searchsorted(self.days, [since, day])
        items = self.items[low:high][self.positives[low:high]]
        return np.bincount(items, minlength=self.n_items) / max(len(items), 1)


def prices_before(log: Log, until_s: int) -> NDArray[np.float64]:
    """Return float64 [n_items]: the median unit price of events before a time, NaN without any."""
    use = (log.at_s < until_s) & ~np.isnan(log.price)
    items, prices = log.item[use], log.price[use].astype(np.float64)
    order = np.lexsort((prices, items))
    items, prices = items[order], prices[order]
    found, start, count = np.unique(items, return_index=True, return_counts=True)
    median = np.full(log.items.n, np.nan)
    median[found] = (prices[start + (count - 1) // 2] + prices[start + count // 2]) / 2
    return median


def vocabulary(log: Log, prices: NDArray[np.float64]) -> ItemVocabulary:
    """Collect the labels of the catalogue and the price quantiles."""
    items = log.items
    known = prices[~np.isnan(prices)]
    cuts = np.arange(1, PRICE_BUCKETS) / PRICE_BUCKETS
    edges = np.unique(np.quantile(known, cuts)) if len(known) else np.empty(0)
    return ItemVocabulary(
        categories=tuple(sorted(set(items.categories))),
        sellers=_shared(seller for seller in items.sellers if seller),
        tags=_shared(tag for labels in items.tags for tag in labels),
        years=tuple(int(year) for year in np.unique(items.years[items.years > 0])),
        price_edges=tuple(float(edge) for edge in edges),
    )


def numbers(log: Log, known: ItemVocabulary, prices: NDArray[np.float64]) -> ItemNumbers:
    """Return the features of all items of a log that do not change with time."""
    items = log.items
    years, floats = [int(year) for year in items.years], [float(price) for price in prices]
    return item_numbers(
        known,
        ItemColumns(items.titles, items.categories, items.sellers, items.tags, years, floats),
    )


def seen_before(log: Log, until_s: int) -> NDArray[np.bool_]:
    """Return bool [n_items]: the item has an event before this time."""
    seen = np.zeros(log.items.n, np.bool_)
    seen[log.item[log.at_s < until_s]] = True
    return seen


def _shared(labels: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(labels)
    return tuple(sorted(label for label, count in counts.items() if count >= SHARED_BY))

"""Whom the lists of a release show: shares, Gini, and items that are in everybody's list."""

import math

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Rows, Scores
from service.errors import ReleaseRefused
from service.releases.manifest import Exposure

LIST_LENGTH = 10
HUB_SHARE = 0.05
"""No item should be in more lists than this (operations.md, F40) ..."""

FEWEST_LISTS = 20
FEWEST_ITEMS = round(LIST_LENGTH / HUB_SHARE)
"""... unless a list takes as much of the catalogue by chance, ..."""

POPULAR_SHARE = 0.1
"""... or it is among the most popular tenth of the items: everybody likes some things ..."""

ALONE = 2.0
"""... or another item is in half as many: where people are alike, so are their lists."""

DEVIATIONS = 3.0


def exposure(lists: Rows, n_items: int) -> Exposure:
    """Count lists of ten catalogue rows, int64 [people, 10] or narrower for fewer items.

    Gini of counts x_1 <= ... <= x_n: sum((2 i - n - 1) x_i) / (n sum(x)).
    """
    if not len(lists):
        return Exposure(0, 0.0, 0.0)
    counts = np.sort(np.bincount(lists.ravel(), minlength=n_items)).astype(np.float64)
    weights = 2.0 * np.arange(1, n_items + 1) - n_items - 1.0
    gini = float(weights @ counts) / (n_items * float(counts.sum()))
    return Exposure(len(lists), round(float(counts[-1]) / len(lists), 6), round(max(0.0, gini), 6))


def check_hubs(lists: Rows, popularity: Scores) -> float:
    """Look for an item that is in far more lists than its popularity explains.

    With few lists chance is given three standard deviations; with fewer than 20, or in a
    catalogue of which ten items are the twentieth part, the figure says nothing.

    Returns:
        Share of the lists that the most frequent item is in.

    Raises:
        ReleaseRefused: "gate_hubs".
    """
    n, n_items = len(lists), len(popularity)
    if not n:
        return 0.0
    shares = np.bincount(lists.ravel(), minlength=n_items) / n
    if n >= FEWEST_LISTS and n_items > FEWEST_ITEMS:
        _check_hub(shares, popularity, n)
    return float(shares.max())


def _check_hub(shares: NDArray[np.float64], popularity: Scores, n: int) -> None:
    is_popular = popularity > np.quantile(popularity, 1.0 - POPULAR_SHARE)
    row = int(np.argmax(np.where(is_popular, -1.0, shares)))
    share, next_share = float(shares[row]), float(np.delete(shares, row).max())
    chance = DEVIATIONS * math.sqrt(HUB_SHARE * (1.0 - HUB_SHARE) / n)
    if not is_popular[row] and share > max(HUB_SHARE + chance, ALONE * next_share):
        raise ReleaseRefused(
            "gate_hubs",
            f"item_vectors.npy: row {row} is in {share:.0%} of the lists of the golden probes, "
            "although few people want it: look at how its vector was made, and train again",
        )

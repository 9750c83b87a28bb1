"""What the item tower sees of an item, as numbers: one implementation for training and serving."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isnan, sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

TITLE_WORDS = 4096
TITLE_CHARACTERS = 8192
TITLE_SIZE = TITLE_WORDS + TITLE_CHARACTERS
TITLE_WEIGHT = 0.7
"""Hashed n-grams of a title, 4096 for words and pairs, 8192 for characters (towers.md, recipe)."""

AS_OF_DAYS = (1, 3, 7, 28)
AS_OF_WIDTH = len(AS_OF_DAYS) + 4
AS_OF_SCALE = 0.5

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ItemVocabulary:
    """What training knew: the position in a tuple + 1 is an item's number, 0 is unknown.

    Attributes:
        years: known years, ascending; any other year counts as the nearest one.
        price_edges: borders between price buckets, ascending; bucket 1 lies below the first.
    """

    categories: tuple[str, ...] = ()
    sellers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    price_edges: tuple[float, ...] = ()

    def to_json(self) -> dict[str, list[object]]:
        """Return plain lists by name."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Iterable[object]]) -> "ItemVocabulary":
        """Rebuild from `to_json`; a missing or unknown name is a TypeError."""
        return cls(**{name: tuple(values) for name, values in document.items()})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Bags:
    """A bag of weighted ids per item: item i owns ids[starts[i]:starts[i + 1]].

    Attributes:
        ids: int64 [total]; weights: float32 [total]; starts: int64 [n + 1].
    """

    ids: Ints
    weights: Floats
    starts: Ints

    def take(self, rows: Ints) -> "Bags":
        """Return the bags of some rows, in that order."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        flat = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return Bags(self.ids[flat], self.weights[flat], starts)

    def padded(self, width: int) -> tuple[Ints, Floats]:
        """Return ids int64 [n, width] and weights float32 [n, width]; padding weighs 0.

        A bag larger than the width keeps its first ids.
        """
        n, counts = len(self.starts) - 1, np.diff(self.starts)
        ids, weights = np.zeros((n, width), np.int64), np.zeros((n, width), np.float32)
        row = np.repeat(np.arange(n), counts)
        column = np.arange(len(self.ids)) - np.repeat(self.starts[:-1], counts)
        fits = column < width
        ids[row[fits], column[fits]] = self.ids[fits]
        weights[row[fits], column[fits]] = self.weights[fits]
        return ids, weights


@dataclass(frozen=True, slots=True)
class ItemNumbers:
    """The features of n items that do not change with time; int64 [n] where not bags.

    Attributes:
        n_tags: how many tags the vocabulary has.
    """

    title: Bags
    category: Ints
    seller: Ints
    tags: Bags
    year: Ints
    price: Ints
    n_tags: int


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Items as text and plain numbers, in any order; a year of 0 and a price of NaN are unknown."""

    titles: Sequence[str]
    categories: Sequence[str]
    sellers: Sequence[str]
    tags: Sequence[Sequence[str]]
    years: Sequence[int]
    prices: Sequence[float]


def item_numbers(vocabulary: ItemVocabulary, items: ItemColumns) -> ItemNumbers:
    """Turn items into the numbers that the item tower was trained on."""
    tags = {tag: number for number, tag in enumerate(vocabulary.tags)}
    known = [[tags[tag] for tag in labels if tag in tags] for labels in items.tags]
    return ItemNumbers(
        title=_bags(title_ids(title) for title in items.titles),
        category=_numbers(vocabulary.categories, items.categories),
        seller=_numbers(vocabulary.sellers, items.sellers),
        tags=_bags([(ids, 1 / sqrt(max(len(ids), 1)))] for ids in known),
        year=_years(vocabulary.years, items.years),
        price=_prices(vocabulary.price_edges, items.prices),
        n_tags=len(vocabulary.tags),
    )


def title_ids(title: str) -> list[tuple[list[int], float]]:
    """Hash a title: words and word pairs, then character 3- and 4-grams, each with its weight."""
    words = _words(title)
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    grams = [gram for word in words for gram in _grams(f"<{word}>")]
    kinds = (
        [crc32(text.encode()) % TITLE_WORDS for text in words + pairs],
        [TITLE_WORDS + crc32(text.encode()) % TITLE_CHARACTERS for text in grams],
    )
    return [(ids, TITLE_WEIGHT / sqrt(max(len(ids), 1))) for ids in kinds]


def as_of_features(shares: NDArray[np.float64], age_days: NDArray[np.float64]) -> Floats:
    """Transform counts of whole days before the as-of day.

    Args:
        shares: float64 [5, n], share of all positive events over the last 1, 3, 7, 28 days and
            all time.
        age_days: float64 [n], days since the first event, NaN for items without one.

    Returns:
        float32 [n, 8]: log shares, short against long trend, log age or -1, never-seen flag.
    """
    logs = np.log1p(1e4 * shares)
    never = np.isnan(age_days)
    age = np.where(never, -1.0, np.log1p(np.nan_to_num(age_days)))
    trend = logs[1] - logs[3]
    return (AS_OF_SCALE * np.stack([*logs, trend, age, never], axis=1)).astype(np.float32)


def _words(title: str) -> list[str]:
    """Lower-case words of letters and digits, accents removed, in any script."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[\W_]+", " ", bare).split()


def _grams(word: str) -> list[str]:
    return [word[i : i + n] for n in (3, 4) for i in range(len(word) - n + 1)]


def _bags(rows: Iterable[Sequence[tuple[Sequence[int], float]]]) -> Bags:
    """Collect bags given as parts of (ids, weight of each)."""
    ids: list[int] = []
    weights: list[float] = []
    starts = [0]
    for parts in rows:
        for part, weight in parts:
            ids += part
            weights += [weight] * len(part)
        starts.append(len(ids))
    return Bags(np.array(ids, np.int64), np.array(weights, np.float32), np.array(starts, np.int64))


def _numbers(known: Sequence[str], labels: Sequence[str]) -> Ints:
    number = {label: i + 1 for i, label in enumerate(known)}
    return np.array([number.get(label, 0) for label in labels], np.int64)


def _years(known: Sequence[int], years: Sequence[int]) -> Ints:
    if not known:
        return np.zeros(len(years), np.int64)
    borders = (np.array(known[1:]) + np.array(known[:-1])) / 2
    nearest = np.searchsorted(borders, np.asarray(years), side="left") + 1
    return np.where(np.asarray(years) > 0, nearest, 0).astype(np.int64)


def _prices(edges: Sequence[float], prices: Sequence[float]) -> Ints:
    buckets = np.searchsorted(np.asarray(edges, np.float64), np.asarray(prices), side="right") + 1
    unknown = np.array([isnan(price) for price in prices], np.bool_)
    return np.where(unknown, 0, buckets).astype(np.int64)

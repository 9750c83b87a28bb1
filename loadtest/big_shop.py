"""A large shop out of a seed: vectors in clusters, facets as skewed as those of real shops."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]

BUILT_AT_S = 1_767_225_600.0
"""2026-01-01: the moment at which the shop is seen."""
DAY_S = 86_400.0
N_PEOPLE = 1000
MAX_ACTIONS = 30

N_CATEGORIES = 300
CATEGORY_SKEW = 1.0
"""Exponent of Zipf's law: the largest category holds 16 % of the items, the last one 0.05 %."""
SELLER_SKEW = 0.8
ITEMS_A_SELLER = 50
COUNTRIES = {
    "DE": 0.5, "FR": 0.2, "IT": 0.1, "ES": 0.09, "NL": 0.05, "PL": 0.04, "AT": 0.015, "LU": 0.005,
}  # fmt: skip
NEW_SHARE, SOLD_OUT_SHARE = 0.02, 0.05
ITEMS_A_STYLE = 128
STYLE_SPREAD, ITEM_SPREAD = 0.8, 0.7
"""How far a style lies from its category and an item from its style; a category has length 1."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Items [n], in the order in which they came into the shop, and what people did.

    Attributes:
        vectors: float32 [n, dim], unit length.
        styles: each item's cluster within its category, int64 [n].
        people: items that each of `N_PEOPLE` looked at, oldest first; the first one at none.
    """

    vectors: Floats
    categories: Ints
    styles: Ints
    sellers: Ints
    countries: Ints
    prices: Floats
    popularity: Floats
    is_new: Truths
    in_stock: Truths
    first_seen_s: NDArray[np.float64]
    people: tuple[Ints, ...]


def make_shop(n: int, dim: int, seed: int) -> Shop:
    """Draw a shop; the same arguments give the same shop.

    Sizes of categories and sellers and sales of items follow Zipf's law, seven in ten items of a
    seller belong to its trade, prices are log-normal around the level of their category.
    """
    rng = np.random.default_rng(seed)
    categories = rng.choice(N_CATEGORIES, n, p=zipf(N_CATEGORIES, CATEGORY_SKEW))
    styles = _styles(categories, rng)
    popularity = zipf(n, 1.0)[rng.permutation(n)].astype(np.float32)
    is_new = rng.random(n) < NEW_SHARE
    popularity[is_new] = 0.0
    age_s = rng.exponential(200 * DAY_S, n)
    return Shop(
        vectors=_vectors(categories, styles, dim, rng),
        categories=categories,
        styles=styles,
        sellers=_sellers(categories, rng),
        countries=rng.choice(len(COUNTRIES), n, p=list(COUNTRIES.values())),
        prices=_prices(categories, rng),
        popularity=popularity / popularity.sum(),
        is_new=is_new,
        in_stock=rng.random(n) >= SOLD_OUT_SHARE,
        first_seen_s=np.where(is_new, np.nan, BUILT_AT_S - age_s),
        people=_people(styles, popularity, rng),
    )


def zipf(n: int, skew: float) -> NDArray[np.float64]:
    """Shares of n things by rank, summing to one."""
    weights = np.arange(1, n + 1) ** -skew
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Rows at length one, float32."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    at_unit_length: Floats = np.divide(vectors, lengths, dtype=np.float32, casting="same_kind")
    return at_unit_length


def _styles(categories: Ints, rng: np.random.Generator) -> Ints:
    """A category of m items has m / 128 styles, at least one."""
    sizes = np.bincount(categories, minlength=N_CATEGORIES)
    counts = 1 + sizes // ITEMS_A_STYLE
    first = np.cumsum(counts) - counts
    within = (rng.random(len(categories)) * counts[categories]).astype(np.int64)
    styles: Ints = first[categories] + within
    return styles


def _vectors(categories: Ints, styles: Ints, dim: int, rng: np.random.Generator) -> Floats:
    n_styles = int(styles.max()) + 1
    category_of = np.zeros(n_styles, dtype=np.int64)
    category_of[styles] = categories
    centres = unit(rng.normal(size=(N_CATEGORIES, dim)))
    of_styles = centres[category_of] + STYLE_SPREAD * unit(rng.normal(size=(n_styles, dim)))
    noise = rng.standard_normal((len(styles), dim), dtype=np.float32) / np.float32(np.sqrt(dim))
    noise *= ITEM_SPREAD
    noise += unit(of_styles)[styles]
    return unit(noise)


def _sellers(categories: Ints, rng: np.random.Generator) -> Ints:
    """Each category has a trade of its own: the same few sellers are the large ones in it."""
    n = len(categories)
    n_sellers = max(10, n // ITEMS_A_SELLER)
    drawn = rng.choice(n_sellers, n, p=zipf(n_sellers, SELLER_SKEW))
    trade = np.where(rng.random(n) < 0.7, categories * 7919, 0)  # noqa: PLR2004
    sellers: Ints = (drawn + trade) % n_sellers
    return sellers


def _prices(categories: Ints, rng: np.random.Generator) -> Floats:
    level = rng.normal(3.0, 0.8, N_CATEGORIES)
    prices: Floats = np.exp(level[categories] + rng.normal(0.0, 0.6, len(categories)))
    return prices.round(2).astype(np.float32)


def _people(styles: Ints, popularity: Floats, rng: np.random.Generator) -> tuple[Ints, ...]:
    """Everybody keeps to a few styles, as popular as their items are."""
    by_style = np.argsort(styles, kind="stable")
    starts = np.searchsorted(styles[by_style], np.arange(int(styles.max()) + 2))
    liked = rng.choice(len(styles), (N_PEOPLE, 3), p=popularity / popularity.sum())
    people = [np.zeros(0, dtype=np.int64)]
    for items in liked[1:]:
        n_styles, n_actions = rng.integers(1, 4), rng.integers(1, MAX_ACTIONS)
        runs = [by_style[starts[s] : starts[s + 1]] for s in styles[items[:n_styles]]]
        people.append(np.array([rng.choice(runs[i % n_styles]) for i in range(n_actions)]))
    return tuple(people)

"""Compiled filters: bitmaps that say what the mask said, in a cache that stays within bounds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.arrays import Mask
from service.domain.requests import NO_FILTERS, Condition, Filters
from service.indexes.passing import BLOCK_ROWS, Passing, PassingCache


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 3 * BLOCK_ROWS), share=st.floats(0, 1), seed=st.integers(0, 100))
def test_a_bitmap_says_what_the_mask_said(n: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(n) < share
    passing = Passing(mask)
    assert passing.count == mask.sum()
    assert passing.rows.tolist() == np.flatnonzero(mask).tolist()
    starts = range(0, n, BLOCK_ROWS)
    assert passing.per_block.tolist() == [mask[a : a + BLOCK_ROWS].sum() for a in starts]
    rows = rng.integers(0, n, 30)
    assert passing.at(rows).tolist() == mask[rows].tolist()
    some = np.flatnonzero(rng.random(len(starts)) < 0.5)
    among = np.flatnonzero(mask & np.isin(np.arange(n) // BLOCK_ROWS, some))
    places = passing.in_blocks(some)
    assert len(places) == len(some) * BLOCK_ROWS
    assert places.sum() == len(among)
    own, counts = passing.places_in(some)
    assert passing.rows[own].tolist() == among.tolist()
    assert some.repeat(counts).tolist() == (among // BLOCK_ROWS).tolist()
    assert passing.blocks.tolist() == np.flatnonzero(passing.per_block).tolist()
    for first in starts:
        end = int(rng.integers(first, n + 1))
        assert passing.between(first, end).tolist() == mask[first:end].tolist()


class Counting:
    """Compiles filters by their price, and counts how often it is asked."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked = 0

    def __call__(self, filters: Filters) -> Mask:
        self.asked += 1
        least = dict(filters.conditions).get("price", Condition()).at_least or 0.0
        return np.arange(self.n) >= least


def above(price: float) -> Filters:
    return Filters.of({"price": Condition(at_least=price)})


def test_filters_are_compiled_once() -> None:
    counting = Counting(1000)
    cache = PassingCache(counting, most_bytes=10**6)
    first = cache.of(above(10.0))
    assert cache.of(above(10.0)) is first
    assert cache.of(NO_FILTERS).is_everything
    assert counting.asked == 2


def test_filters_that_mean_the_same_are_the_same() -> None:
    one = Filters.of(
        {"seller": Condition(any_of=("b", "a", "b")), "category": Condition(any_of=("x",))}
    )
    other = Filters.of(
        {"category": Condition(any_of=("x",)), "seller": Condition(any_of=("a", "b"))}
    )
    assert one == other
    assert hash(one) == hash(other)
    assert Filters.of({"seller": Condition()}) == NO_FILTERS


def test_the_least_recently_asked_is_given_up() -> None:
    each = Passing(np.ones(1000, dtype=np.bool_)).nbytes
    cache = PassingCache(Counting(1000), most_bytes=3 * each)
    kept = [cache.of(above(price)) for price in (1.0, 2.0, 3.0)]
    cache.of(above(1.0))
    cache.of(above(4.0))
    assert len(cache) == 3
    assert cache.of(above(1.0)) is kept[0]
    assert cache.of(above(2.0)) is not kept[1]


def test_what_grows_later_counts_as_well() -> None:
    cache = PassingCache(Counting(1000), most_bytes=20_000)
    for price in range(1, 50):
        passing = cache.of(above(float(price)))
        assert len(cache.rows_of(passing)) == passing.count
        assert cache.nbytes <= 20_000


def test_one_that_is_larger_than_the_cache_is_answered_and_not_kept() -> None:
    cache = PassingCache(Counting(10_000), most_bytes=100)
    assert cache.of(above(10.0)).count == 9990
    assert len(cache) == 0

"""The router: whatever is asked, by whichever way, lists hold what brute force allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.building.row_order import row_order
from service.catalogue.attributes import Flags
from service.domain.arrays import Rows, Scores, Vector
from service.domain.requests import NO_FILTERS, Condition, Filters
from service.domain.searches import Route
from service.errors import IndexUnavailable
from service.indexes.exact import ExactIndex
from service.indexes.passing import BLOCK_ROWS
from service.indexes.router import Router
from tests.factories import Shelf, make_catalogue
from tests.service.indexes.test_contract import unit_vectors
from tests.service.indexes.worlds import (
    CATEGORIES,
    COUNTRIES,
    DIM,
    SELLERS,
    allowed,
    make_router,
    shop,
)

SIZES = (1, 40, BLOCK_ROWS, BLOCK_ROWS + 1, 3000)
WAYS = (Route.GRAPH, Route.BLOCKS, Route.SWEEP, Route.GATHER)
EXACT = (Route.SWEEP, Route.GATHER)


BOOKS = Condition(any_of=("books",))
NOT_BOOKS = Filters.of({"category": Condition(none_of=("books",))})


def words(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from([*names, "unheard of"]), max_size=3).map(tuple)


def asking(names: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    return st.builds(Condition, any_of=words(names), none_of=words(names))


PRICES = st.none() | st.floats(-10, 120)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "category": asking(CATEGORIES),
        "seller": asking(SELLERS),
        "country": asking(COUNTRIES),
        "price": st.builds(Condition, at_least=PRICES, at_most=PRICES),
        "is_new": st.builds(Condition, is_set=st.none() | st.booleans()),
        "not declared": st.just(Condition(any_of=("x",))),
    },
).map(Filters.of)


@pytest.mark.parametrize("way", [*WAYS, None])
@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from(SIZES),
    filters=FILTERS,
    share_in_stock=st.sampled_from([1.0, 0.9, 0.3, 0.01, 0.0]),
    n=st.integers(1, 200),
    seed=st.integers(0, 1000),
)
def test_a_list_is_allowed_and_never_short(
    way: Route | None, size: int, filters: Filters, share_in_stock: float, n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    in_stock = rng.random(size) < share_in_stock
    passing, free = allowed(size, filters, in_stock)
    vector = unit_vectors(1, DIM, seed)[0]
    found = make_router(size, way, in_stock).search(vector, n, filters)

    assert found.passing == len(passing)
    assert set(found.rows) <= set(passing)
    assert len(set(found.rows)) == len(found.rows)
    scores = shop(size)[0].vectors @ vector
    assert found.scores == pytest.approx(scores[found.rows], abs=1e-5)
    assert (np.diff(found.scores) <= 0.0).all()
    bought = [row for row in found.rows if row in set(free)]
    assert len(bought) == min(n, len(free))
    assert len(found.rows) - len(bought) <= n
    if found.route in EXACT:
        assert scores[bought] == pytest.approx(np.sort(scores[free])[::-1][:n], abs=1e-5)


@pytest.mark.parametrize("way", EXACT)
def test_what_is_sold_out_but_nearer_is_left_to_the_rules(way: Route) -> None:
    size = 600
    vector = unit_vectors(1, DIM, 5)[0]
    in_stock = np.ones(size, dtype=np.bool_)
    nearest = make_router(size, way, in_stock).search(vector, 10).rows
    in_stock[nearest[:4]] = False
    found = make_router(size, way, in_stock).search(vector, 10)
    assert found.rows[: len(nearest)].tolist() == nearest.tolist()
    assert np.count_nonzero(in_stock[found.rows]) >= 10


@pytest.mark.parametrize("way", [Route.GRAPH, Route.BLOCKS])
def test_ways_that_guess_find_most_of_what_is_nearest(way: Route) -> None:
    size, filters = 3000, Filters.of({"country": Condition(any_of=("DE",))})
    approximate, exact = make_router(size, way), make_router(size, Route.GATHER)
    recalls = []
    for vector in unit_vectors(50, DIM, 9):
        found = approximate.search(vector, 100, filters)
        true = exact.search(vector, 100, filters)
        assert found.route is way
        recalls.append(len(set(found.rows) & set(true.rows)) / len(true.rows))
    assert np.mean(recalls) >= 0.95


class ShortSighted(ExactIndex):
    """Finds the very nearest items, and no more, whatever is asked."""

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        return super().search(vector, min(n, 20))


def test_a_graph_that_finds_too_few_is_followed_by_a_second_try() -> None:
    router, exact = make_router(3000, Route.GRAPH), make_router(3000, Route.GATHER)
    router._graph = ShortSighted(shop(3000)[0].vectors)
    filters = Filters.of({"country": Condition(any_of=("DE",))})
    for vector in unit_vectors(20, DIM, 9):
        found, true = router.search(vector, 100, filters), exact.search(vector, 100, filters)
        assert found.is_second_try
        assert found.route is Route.BLOCKS
        assert len(set(found.rows)) == len(found.rows) >= 100
        assert len(set(found.rows) & set(true.rows)) >= 90


def test_a_small_catalogue_is_looked_at_whole() -> None:
    assert make_router(600).search(unit_vectors(1, DIM)[0], 20).route is Route.SWEEP


def test_nothing_is_found_where_nothing_passes() -> None:
    filters = Filters.of({"category": Condition(any_of=("cars",))})
    found = make_router(40).search(unit_vectors(1, DIM)[0], 5, filters)
    assert (len(found.rows), found.route, found.passing) == (0, Route.NOTHING, 0)


def test_the_cheapest_way_is_taken() -> None:
    n, dim = 60_000, 32
    vectors, drawn = unit_vectors(n, dim), np.random.default_rng(1).random(n)
    vectors = vectors[row_order(vectors, ["one"] * n)]
    flags = {
        "few": Flags(drawn < 0.02),
        "fifth": Flags(drawn < 0.2),
        "half": Flags(drawn < 0.5),
        "far": Flags(vectors @ vectors[0] < 0.0),
        "first": Flags(np.arange(n) < 500),
    }
    catalogue = make_catalogue(n, vectors=vectors, attributes=flags)
    stock = Shelf(np.ones(n, dtype=np.bool_), catalogue)
    router = Router(ExactIndex(vectors), 100, vectors, catalogue, stock)
    router.calibrate()

    def route(name: str) -> Route:
        filters = Filters.of({name: Condition(is_set=True)})
        return router.search(vectors[0], 10, filters).route

    assert router.search(vectors[0], 10).route is Route.GRAPH
    assert route("first") is Route.SWEEP  # they lie together
    assert route("few") is Route.GATHER
    assert route("fifth") is Route.BLOCKS
    assert route("half") is Route.GRAPH
    assert route("far") is Route.BLOCKS  # as many, but nothing that is near


def test_what_filters_keep_stays_within_bounds() -> None:
    """Rows and signs of what passes, which are kept with the first search, count as well."""
    n = 60_000
    vectors, drawn = unit_vectors(n, 32), np.random.default_rng(1).random(n)
    flags = {f"flag-{i}": Flags(np.roll(drawn, 100 * i) < 0.3) for i in range(30)}
    catalogue = make_catalogue(n, vectors=vectors, attributes=flags)
    stock = Shelf(np.ones(n, dtype=np.bool_), catalogue)
    router = Router(ExactIndex(vectors), 100, vectors, catalogue, stock)
    held = []
    for name in flags:
        found = router.search(vectors[0], 10, Filters.of({name: Condition(is_set=True)}))
        assert found.route is Route.BLOCKS
        held.append(router.cache.nbytes)
    assert max(held) <= router.cache.most_bytes
    assert held[0] > 16 * 0.29 * n
    assert len(router.cache) < len(flags)


def test_stock_that_changes_is_followed_at_once() -> None:
    router = make_router(600)
    vector, shelf = unit_vectors(1, DIM)[0], router._stock
    first = int(router.search(vector, 1).rows[0])
    sold_out = shelf.in_stock.copy()
    sold_out[first] = False
    shelf.in_stock = sold_out  # type: ignore[misc]
    again = router.search(vector, 1).rows.tolist()
    assert again[0] == first  # for the rules to remove and count
    assert sold_out[again].sum() == 1
    assert first not in router.most_popular(NO_FILTERS, 600)


def test_the_most_popular_of_what_is_allowed() -> None:
    size, filters = 3000, Filters.of({"seller": Condition(any_of=("seller-3",))})
    in_stock = np.random.default_rng(2).random(size) < 0.5
    _, free = allowed(size, filters, in_stock)
    popularity = shop(size)[0].popularity
    expected = free[np.argsort(-popularity[free], kind="stable")]
    router = make_router(size, in_stock=in_stock)
    for n in (0, 1, 20, len(free), size):
        assert router.most_popular(filters, n).tolist() == expected[:n].tolist()


@settings(max_examples=50, deadline=None)
@given(filters=FILTERS, seed=st.integers(0, 100))
def test_rows_pass_as_the_catalogue_says(filters: Filters, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 3000, 50)
    expected = shop(3000)[0].matching(filters)[rows]
    assert make_router(3000).passes(rows, filters).tolist() == expected.tolist()


def test_a_query_that_is_no_vector_is_an_error_whatever_the_filters() -> None:
    filters = Filters.of({"category": Condition(any_of=("cars",))})
    with pytest.raises(IndexUnavailable):
        make_router(40).search(np.full(DIM, np.nan, dtype=np.float32), 5, filters)

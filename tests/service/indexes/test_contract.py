"""What every index promises, asked of all, and of the router where nothing is forbidden."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from service.domain.arrays import Rows, Scores, Vector, Vectors
from service.domain.searches import Route
from service.errors import IndexUnavailable
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.indexes.router import Asked, Router
from service.ports.serving import ItemIndex
from tests.factories import Shelf, make_catalogue

N, DIM = 400, 8
Maker = Callable[[Vectors], ItemIndex]


def unit_vectors(n: int = N, dim: int = DIM, seed: int = 1) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hnsw(vectors: Vectors) -> ItemIndex:
    return HnswIndex.build(vectors, m=16, ef_construction=200, ef=200)


@dataclass(frozen=True)
class Routed:
    """The router as an index, by one of its ways."""

    router: Router

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        found = self.router.search(vector, n)
        return found.rows, found.scores


class BlocksOnly(Router):
    def route(self, asked: Asked) -> Route:
        return Route.BLOCKS


def routed(vectors: Vectors, kind: type[Router] = Router) -> ItemIndex:
    catalogue = make_catalogue(len(vectors), vectors=vectors)
    stock = Shelf(np.ones(len(vectors), dtype=np.bool_), catalogue)
    router = kind(hnsw(vectors), 200, vectors, catalogue, stock)
    router.calibrate(recall=1.0)
    return Routed(router)


def blocks(vectors: Vectors) -> ItemIndex:
    return routed(vectors, BlocksOnly)


@pytest.fixture(
    params=[hnsw, ExactIndex, routed, blocks], ids=["hnsw", "exact", "router", "blocks"]
)
def make_index(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


def test_the_nearest_come_first_with_their_inner_products(make_index: Maker) -> None:
    vectors = unit_vectors()
    rows, scores = make_index(vectors).search(vectors[7], 20)
    assert rows[0] == 7
    assert rows.dtype == np.int64
    assert scores.dtype == np.float32
    assert scores == pytest.approx(vectors[rows] @ vectors[7], abs=1e-6)
    assert (np.diff(scores) <= 0.0).all()


def test_a_label_is_a_catalogue_row(make_index: Maker) -> None:
    vectors = unit_vectors()
    index = make_index(vectors)
    assert [int(index.search(vector, 1)[0][0]) for vector in vectors[:50]] == list(range(50))


@pytest.mark.parametrize(
    ("n", "found"), [(0, 0), (1, 1), (N - 1, N - 1), (N, N), (N + 1, N), (10**6, N)]
)
def test_any_number_may_be_asked_for(make_index: Maker, n: int, found: int) -> None:
    vectors = unit_vectors()
    rows, scores = make_index(vectors).search(vectors[0], n)
    assert len(rows) == len(scores) == len(set(rows.tolist())) == found


@pytest.mark.parametrize("width", [DIM - 1, DIM + 1, 2 * DIM])
def test_a_query_of_the_wrong_width_is_an_error(make_index: Maker, width: int) -> None:
    with pytest.raises(IndexUnavailable) as unavailable:
        make_index(unit_vectors()).search(np.ones(width, dtype=np.float32), 5)
    assert unavailable.value.outcome == "dim"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_query_that_is_not_finite_is_an_error(make_index: Maker, number: float) -> None:
    query = np.zeros(DIM, dtype=np.float32)
    query[3] = number
    with pytest.raises(IndexUnavailable) as unavailable:
        make_index(unit_vectors()).search(query, 5)
    assert unavailable.value.outcome == "nan"


def test_equal_vectors_are_all_found(make_index: Maker) -> None:
    vectors = np.repeat(unit_vectors(10), 30, axis=0)
    rows, _ = make_index(vectors).search(vectors[0], 30)
    assert sorted(rows.tolist()) == list(range(30))


def test_one_item_is_enough(make_index: Maker) -> None:
    vectors = unit_vectors(1)
    assert make_index(vectors).search(vectors[0], 5)[0].tolist() == [0]

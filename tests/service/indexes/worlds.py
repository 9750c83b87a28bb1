"""Catalogues for the router: sorted by category, with an attribute of each kind."""

from functools import cache

import numpy as np
import pyarrow as pa

from models.building.row_order import row_order
from service.catalogue.attributes import read_attribute
from service.domain.arrays import Mask, Rows
from service.domain.requests import Filters
from service.domain.searches import Route
from service.indexes.hnsw import HnswIndex
from service.indexes.router import Asked, Router
from tests.factories import Shelf, TinyCatalogue, make_catalogue
from tests.service.indexes.test_contract import unit_vectors

DIM = 8
EF = 50
CATEGORIES = ("books", "garden", "toys")
SELLERS = ("", *(f"seller-{i}" for i in range(8)))
COUNTRIES = ("DE", "FR", "IT")


class ForcedRouter(Router):
    """Takes the way it is told, whatever it costs; None lets it choose."""

    forced: Route | None = None

    def route(self, asked: Asked) -> Route:
        return self.forced or super().route(asked)


@cache
def shop(n: int, seed: int = 1) -> tuple[TinyCatalogue, HnswIndex]:
    """A catalogue of n items and its graph: most are books, categories lie together."""
    rng = np.random.default_rng(seed)
    category = rng.choice(len(CATEGORIES), n, p=(0.7, 0.25, 0.05))
    vectors = unit_vectors(n, DIM, seed) + 1.5 * unit_vectors(3, DIM, seed + 1)[category]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = row_order(vectors, [CATEGORIES[code] for code in category])
    vectors, category = np.ascontiguousarray(vectors[order]), category[order]
    sold_in = [[c for c in COUNTRIES if rng.random() < 0.5] for _ in range(n)]
    price = np.where(rng.random(n) < 0.1, np.nan, rng.uniform(1, 100, n))
    columns = {
        "category": pa.array([CATEGORIES[code] for code in category]),
        "seller": pa.array([SELLERS[i] for i in rng.integers(0, len(SELLERS), n)]),
        "country": pa.array(sold_in, pa.list_(pa.string())),
        "price": pa.array(price, pa.float32()),
        "is_new": pa.array(rng.random(n) < 0.02),
    }
    attributes = {name: read_attribute(pa.chunked_array([c])) for name, c in columns.items()}
    catalogue = make_catalogue(
        n,
        vectors=vectors,
        attributes=attributes,
        popularity=rng.random(n).astype(np.float32),
        is_blocked=rng.random(n) < 0.03,
    )
    return catalogue, HnswIndex.build(vectors, m=8, ef_construction=100, ef=EF)


def make_router(n: int, route: Route | None = None, in_stock: Mask | None = None) -> ForcedRouter:
    catalogue, graph = shop(n)
    stock = Shelf(np.ones(n, dtype=np.bool_) if in_stock is None else in_stock, catalogue)
    router = ForcedRouter(graph, EF, catalogue.vectors, catalogue, stock)
    router.calibrate()
    router.forced = route
    return router


def allowed(n: int, filters: Filters, in_stock: Mask) -> tuple[Rows, Rows]:
    """By brute force: the rows that pass the filters, and those of them that can be bought."""
    catalogue, _ = shop(n)
    passing = catalogue.matching(filters)
    return np.flatnonzero(passing), np.flatnonzero(passing & in_stock & ~catalogue.is_blocked)

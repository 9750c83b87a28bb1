"""The large shop of the load tests as the router sees it: vectors, attributes, graph, users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hnswlib
import numpy as np
import pyarrow as pa

from loadtest.big_release import holds
from loadtest.big_shop import COUNTRIES, Shop, make_shop, unit
from models.build_index import EF_CONSTRUCTION, EFS
from models.building.row_order import row_order
from service.catalogue.attributes import matching, read_attribute
from service.catalogue.stock import StockColumn
from service.domain.arrays import Mask, Rows, Scores, Vectors
from service.domain.requests import Condition, Filters
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import SPACE, HnswIndex
from service.indexes.router import Router
from service.ports.serving import Attribute, Catalogue

DIM, SEED, M, THREADS = 64, 7, 16, 2
DEPTH = 100
FLOOR = 0.95
N_QUERIES = 200
N_PROBES = 64


@dataclass(frozen=True, slots=True)
class Big:
    """What a loaded release would hold of it.

    Attributes:
        queries: users as a mean tower sees them; the first ones stand for the golden probes.
    """

    vectors: Vectors
    attributes: Mapping[str, Attribute]
    popularity: Scores
    is_blocked: Mask
    in_stock: Mask
    probes: Vectors
    queries: Vectors
    categories: Rows
    sellers: Rows
    prices: Scores

    def __len__(self) -> int:
        return len(self.vectors)

    def matching(self, filters: Filters) -> Mask:
        return matching(self.attributes, filters, len(self))

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        raise NotImplementedError("nobody changes the stock of this shop by id")


def make_big(n: int) -> Big:
    """The shop in the row order of a release, everything in stock and nothing blocked."""
    shop = make_shop(n, DIM, SEED)
    order = row_order(shop.vectors, [f"category-{code:03}" for code in shop.categories])
    vectors = np.ascontiguousarray(shop.vectors[order])
    users = _users(shop)
    codes = {"category": shop.categories, "seller": shop.sellers, "country": shop.countries}
    columns = {name: pa.array([str(code) for code in c[order]]) for name, c in codes.items()}
    columns["price"] = pa.array(shop.prices[order], pa.float32())
    return Big(
        vectors=vectors,
        attributes={n: read_attribute(pa.chunked_array([c])) for n, c in columns.items()},
        popularity=shop.popularity[order],
        is_blocked=np.zeros(n, dtype=np.bool_),
        in_stock=np.ones(n, dtype=np.bool_),
        probes=users[:N_PROBES],
        queries=users[N_PROBES : N_PROBES + N_QUERIES],
        categories=shop.categories[order],
        sellers=shop.sellers[order],
        prices=shop.prices[order],
    )


def _users(shop: Shop) -> Vectors:
    known = [items for items in shop.people if len(items)]
    return unit(np.array([shop.vectors[items[-20:]].mean(axis=0) for items in known]))


def graph(folder: Path, big: Big) -> hnswlib.Index:
    """The graph of the shop, from the folder of the load tests; built where it is not there."""
    file = folder / f"items-{len(big)}x{DIM}-seed{SEED}-m{M}.hnsw"
    built = hnswlib.Index(space=SPACE, dim=DIM)
    if file.exists() and holds(file, big.vectors):
        built.load_index(str(file))
        return built
    built.init_index(len(big), M=M, ef_construction=EF_CONSTRUCTION, random_seed=1)
    built.add_items(big.vectors, np.arange(len(big)), num_threads=THREADS)
    folder.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    built.save_index(str(partial))
    partial.rename(file)
    return built


def smallest_ef(built: hnswlib.Index, big: Big) -> int:
    """The ef that a builder would choose: the smallest that holds the recall floor."""
    exact = ExactIndex(big.vectors)
    true = [set(exact.search(query, DEPTH)[0].tolist()) for query in big.probes]
    for ef in EFS:
        index = HnswIndex(built, ef)
        pairs = zip(big.probes, true, strict=True)
        hits = [len(near & set(index.search(q, DEPTH)[0].tolist())) for q, near in pairs]
        if np.mean(hits) / DEPTH >= FLOOR:
            break
    return ef


def make_router(big: Big, built: hnswlib.Index, ef: int) -> Router:
    """The router as the loader makes it."""
    catalogue: Catalogue = big  # type: ignore[assignment]
    stock = StockColumn(big.in_stock)
    router = Router(HnswIndex(built, ef), ef, big.vectors, catalogue, stock)
    router.calibrate(big.probes, FLOOR)
    return router


def facets(big: Big) -> dict[str, dict[float, Filters]]:
    """Filters by family and by the share of items that should pass them."""
    shares = (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)
    return {
        "category": {p: _words("category", _summing(big.categories, p)) for p in shares},
        "country": {p: _words("country", _countries(p)) for p in shares if _countries(p)},
        "seller": {p: _words("seller", _summing(big.sellers, p)) for p in shares[3:]},
        "price": {p: Filters.of({"price": _price(big.prices, p)}) for p in shares},
        "conjunction": {p: conjunction(big, p) for p in shares},
    }


def _words(attribute: str, words: Sequence[str]) -> Filters:
    return Filters.of({attribute: Condition(any_of=tuple(words))})


def _summing(codes: Rows, share: float) -> list[str]:
    """The fewest values that together hold about this share: the largest that fit, in turn."""
    sizes = np.bincount(codes) / len(codes)
    chosen, left = [], share
    for code in np.argsort(-sizes, kind="stable").tolist():
        if 0.0 < sizes[code] <= left * 1.02:
            chosen.append(str(code))
            left -= sizes[code]
        if left < share / 20:
            break
    return chosen


def _countries(share: float) -> list[str]:
    near = [i for i, own in enumerate(COUNTRIES.values()) if abs(own - share) < share / 20]
    return [str(near[0])] if near else []


def _price(prices: Scores, share: float) -> Condition:
    """A band of prices in the middle."""
    low, high = np.quantile(prices, ((1 - share) / 2, (1 + share) / 2))
    return Condition(at_least=float(low), at_most=float(high))


def conjunction(big: Big, share: float) -> Filters:
    """Two countries (70 %) and a band of prices; half of the categories where few pass."""
    conditions = {"country": Condition(any_of=("0", "1"))}
    left = share / 0.7
    if share <= 0.1:
        conditions["category"] = Condition(any_of=tuple(_summing(big.categories, 0.5)))
        left = 2 * left
    return Filters.of({**conditions, "price": _price(big.prices, left)})

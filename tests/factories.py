"""Small values with defaults: a tiny shop that can be checked by eye."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pyarrow as pa

from service.catalogue.attributes import matching, read_attribute
from service.domain.actions import ACTION_CODES
from service.domain.arrays import NO_ROWS, Codes, Hashes, Mask, Rows, Scores, Vector, Vectors
from service.domain.candidates import Candidates
from service.domain.deadlines import Deadline
from service.domain.items import Effect, ItemOutcome, ItemUpdate, Topic, item_hash
from service.domain.ladders import ALL, Ladder, category_scope
from service.domain.requests import NO_FILTERS, Condition, Filters, Query, Request
from service.domain.searches import Found, Route
from service.domain.sessions import EMPTY_SESSION, Marks, Segment, Session
from service.domain.sources import Source
from service.errors import IndexUnavailable, TowerUnavailable
from service.ports.serving import Attribute, Catalogue, Release

NOW_S = 1_700_000_000.0
DIM = 4


@dataclass(frozen=True)
class TinyCatalogue:
    """A catalogue of items `i0`, `i1`, …; even rows are `toys`, odd rows are `books`."""

    item_ids: Sequence[str]
    titles: Sequence[str]
    hashes: Hashes
    categories: Codes
    category_names: Sequence[str]
    sellers: Codes
    seller_names: Sequence[str]
    prices: Scores
    is_blocked: Mask
    popularity: Scores
    is_new: Mask
    is_little_known: Mask
    vectors: Vectors
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def n_built(self) -> int:
        return len(self)

    def row_of(self, item_id: str) -> int:
        return self.item_ids.index(item_id) if item_id in self.item_ids else -1

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        return np.array([self.row_of(item_id) for item_id in item_ids], dtype=np.int64)

    def ids_of(self, rows: Rows) -> tuple[str, ...]:
        return tuple(self.item_ids[row] for row in rows)

    def matching(self, filters: Filters) -> Mask:
        return matching(self.attributes, filters, len(self))


def make_catalogue(n: int = 10, **changes: object) -> TinyCatalogue:
    """n items on an arc: the nearer two rows, the nearer their vectors; row 0 is most popular."""
    angles = np.linspace(0.0, 1.5, n)
    vectors = np.zeros((n, DIM), dtype=np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    ids = [f"i{row}" for row in range(n)]
    catalogue = TinyCatalogue(
        item_ids=ids,
        titles=ids,
        hashes=np.array([item_hash(item_id) for item_id in ids], dtype=np.uint64),
        categories=(np.arange(n) % 2).astype(np.int32),
        category_names=["toys", "books"],
        sellers=np.full(n, -1, dtype=np.int32),
        seller_names=["anna", "bert"],
        prices=np.ones(n, dtype=np.float32),
        is_blocked=np.zeros(n, dtype=np.bool_),
        popularity=np.linspace(1.0, 0.0, n, dtype=np.float32),
        is_new=np.zeros(n, dtype=np.bool_),
        is_little_known=np.arange(n) >= n // 2,
        vectors=vectors,
    )
    catalogue = replace(catalogue, **changes)  # type: ignore[arg-type]
    return replace(catalogue, attributes={**_attributes(catalogue), **catalogue.attributes})


def _attributes(catalogue: TinyCatalogue) -> dict[str, Attribute]:
    """What every catalogue declares, and a number and a flag."""
    categories = [catalogue.category_names[code] for code in catalogue.categories]
    sellers = ["" if code < 0 else catalogue.seller_names[code] for code in catalogue.sellers]
    columns = {
        "category": pa.array(categories, pa.string()),
        "seller": pa.array(sellers, pa.string()),
        "price": pa.array(catalogue.prices),
        "is_new": pa.array(catalogue.is_new),
    }
    return {name: read_attribute(pa.chunked_array([column])) for name, column in columns.items()}


@dataclass
class NearestRows:
    """An index that looks at all rows; `broken` makes it fail."""

    vectors: Vectors
    broken: bool = False

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        return self.search_among(np.arange(len(self.vectors)), vector, n)

    def search_among(self, rows: Rows, vector: Vector, n: int) -> tuple[Rows, Scores]:
        if self.broken:
            raise IndexUnavailable("exception")
        scores = self.vectors[rows] @ vector
        order = np.argsort(-scores, kind="stable")[:n]
        return rows[order], scores[order]


@dataclass
class SimpleRouter:
    """A router with one way: it looks at every row that passes, and leaves stock to the rules."""

    index: NearestRows
    catalogue: TinyCatalogue

    def search(self, vector: Vector, n: int, filters: Filters = NO_FILTERS) -> Found:
        rows = np.flatnonzero(self.catalogue.matching(filters))
        return Found(*self.index.search_among(rows, vector, n), Route.SWEEP, len(rows))

    def passes(self, rows: Rows, filters: Filters) -> Mask:
        mask: Mask = self.catalogue.matching(filters)[rows]
        return mask

    def most_popular(self, filters: Filters, n: int) -> Rows:
        rows = np.flatnonzero(self.catalogue.matching(filters))
        return rows[np.argsort(-self.catalogue.popularity[rows], kind="stable")][:n]


@dataclass
class MeanTower:
    """A tower that answers with the mean of the known items; `broken` makes it fail."""

    broken: bool = False

    def embed(self, session: Session, catalogue: Catalogue, now_s: float) -> Vector:
        if self.broken:
            raise TowerUnavailable("nan")
        rows = catalogue.rows_of(session.item_ids)
        mean = catalogue.vectors[rows[rows >= 0]].mean(axis=0)
        vector: Vector = mean / np.linalg.norm(mean)
        return vector


class NoTrends:
    """Nothing rises."""

    def rows_in(self, scope: str, release: Release) -> Rows:
        return NO_ROWS


@dataclass
class Shelf:
    """Stock of a tiny catalogue, and who changes it."""

    in_stock: Mask
    catalogue: TinyCatalogue = field(default_factory=make_catalogue)

    def apply(self, updates: Sequence[ItemUpdate]) -> Sequence[ItemOutcome]:
        """Takes over stock, and nothing else."""
        changed = self.in_stock.copy()
        outcomes = []
        for update in updates:
            row = self.catalogue.row_of(update.item_id)
            if row >= 0 and update.stock is not None:
                changed[row] = update.stock > 0
            effect = Effect.APPLIED if row >= 0 else Effect.UNKNOWN
            outcomes.append(ItemOutcome(Topic.STOCK, effect))
        self.in_stock = changed
        return outcomes

    @property
    def arrived(self) -> tuple[int, int]:
        return 0, 0


def sold_out(*item_ids: str) -> list[ItemUpdate]:
    """The news that there is none left of these."""
    return [ItemUpdate(item_id, NOW_S, stock=0) for item_id in item_ids]


def make_release(catalogue: TinyCatalogue | None = None, **changes: object) -> Release:
    catalogue = catalogue or make_catalogue()
    rows = np.arange(len(catalogue))
    by_category = {
        category_scope(name): rows[catalogue.categories == code]
        for code, name in enumerate(catalogue.category_names)
    }
    index = cast(NearestRows, changes.get("index", NearestRows(catalogue.vectors)))
    shelf = Shelf(np.ones(len(catalogue), dtype=np.bool_), catalogue)
    release = Release(
        name="tiny",
        embedding_version="tiny-1",
        dim=DIM,
        history_length=20,
        again_weight=0.0,
        has_repeats=True,
        tower=MeanTower(),
        index=index,
        exact=index,
        router=SimpleRouter(index, catalogue),
        catalogue=catalogue,
        stock=shelf,
        updates=shelf,
        ladder=Ladder(
            popular={ALL: rows, **by_category}, trending={ALL: rows[::-1], **by_category}
        ),
        manifest={},
    )
    return replace(release, **changes)  # type: ignore[arg-type]


def make_session(*actions: tuple[str, str] | tuple[str, str, float], **changes: object) -> Session:
    """Actions as (item id, type) or (item id, type, seconds ago), oldest first."""
    ago = [float(action[2]) if len(action) > 2 else 60.0 for action in actions]
    session = Session(
        item_ids=tuple(action[0] for action in actions),
        action_types=np.array([ACTION_CODES[action[1]] for action in actions], dtype=np.int64),
        at_s=NOW_S - np.array(ago),
        n_interactions=len(actions),
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def make_marks(*marks: tuple[str, float]) -> Marks:
    """Marks as (item id, seconds ago)."""
    return Marks(
        np.array([item_hash(item_id) for item_id, _ in marks], dtype=np.uint64),
        NOW_S - np.array([ago for _, ago in marks]),
    )


def make_query(
    release: Release,
    session: Session = EMPTY_SESSION,
    segment: Segment = Segment.CASUAL,
    **request: object,
) -> Query:
    """A query with plenty of time left; keyword arguments go to the request."""
    return Query(
        request=Request(**{"k": 3, **request}),  # type: ignore[arg-type]
        user="u:ann",
        session=session,
        rows=release.catalogue.rows_of(session.item_ids),
        segment=segment,
        deadline=Deadline.after(60.0),
        now_s=NOW_S,
    )


def category_filter(*names: str) -> Filters:
    """Any of these categories."""
    return Filters.of({"category": Condition(any_of=names)})


def make_candidates(*rows: int, source: Source = Source.ANN) -> Candidates:
    """These rows, best first, with falling scores."""
    scores = np.linspace(1.0, 0.5, len(rows), dtype=np.float32)
    return Candidates.of(np.array(rows, dtype=np.int64), scores, source)


def ids(release: Release, found: Candidates) -> list[str]:
    return [release.catalogue.item_ids[row] for row in found.rows]

"""The boundaries of the read path: what a release is made of, rules and rungs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.arrays import Codes, Hashes, Mask, Rows, Scores, Vector, Vectors
from service.domain.attributes import Kind
from service.domain.candidates import Candidates
from service.domain.items import ItemOutcome, ItemUpdate
from service.domain.ladders import Ladder
from service.domain.requests import NO_FILTERS, Condition, Filters, Query
from service.domain.searches import Found
from service.domain.sessions import Session


class Clock(Protocol):
    """Tells the time: epoch seconds."""

    def __call__(self) -> float: ...


class UserTower(Protocol):
    """Turns a session into a vector."""

    def embed(self, session: Session, catalogue: "Catalogue", now_s: float) -> Vector:
        """The user vector, float32 [dim], unit length, finite.

        Raises:
            TowerUnavailable: inference failed or gave something that is not a unit vector.
        """
        ...


class ItemIndex(Protocol):
    """Finds the items nearest to a vector."""

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        """Rows int64 [m] and inner products float32 [m], best first; m = min(n, items).

        Raises:
            IndexUnavailable: the engine failed.
        """
        ...


class ExactItemIndex(ItemIndex, Protocol):
    """Finds the very nearest items, by looking at all of them."""

    def search_among(self, rows: Rows, vector: Vector, n: int) -> tuple[Rows, Scores]:
        """Like `search`, but only among these rows."""
        ...


class ItemVectors(Protocol):
    """The vectors of all items."""

    def __getitem__(self, rows: Rows | int, /) -> Vectors:
        """Those of these rows, float32 [..., dim]; of one row, float32 [dim]."""
        ...


class ItemRouter(Protocol):
    """Finds the items nearest to a vector among those that are allowed."""

    def search(self, vector: Vector, n: int, filters: Filters = NO_FILTERS) -> Found:
        """The n nearest items that pass the filters, are in stock and not blocked.

        Never fewer while so many exist. Nearer items that are sold out or blocked are in the list
        too, up to n more, for the rules to remove and count.

        Raises:
            IndexUnavailable: the engine failed.
        """
        ...

    def passes(self, rows: Rows, filters: Filters) -> Mask:
        """Which of these rows pass the filters, bool [m]."""
        ...

    def most_popular(self, filters: Filters, n: int) -> Rows:
        """The n most popular items that pass the filters, are in stock and not blocked."""
        ...


class Attribute(Protocol):
    """One column of the catalogue that requests may filter by."""

    @property
    def kind(self) -> Kind: ...

    def passing(self, condition: Condition) -> Mask:
        """Which items meet the condition, bool [n_items]; unknown words match nothing."""
        ...

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        """Words of the condition that no item has."""
        ...


class Catalogue(Protocol):
    """What is known of the items, as columns by catalogue row; rows stay, more may follow."""

    @property
    def item_ids(self) -> Sequence[str]: ...

    @property
    def titles(self) -> Sequence[str]: ...

    @property
    def hashes(self) -> Hashes:
        """`item_hash` of each id."""
        ...

    @property
    def categories(self) -> Codes:
        """Positions in `category_names`."""
        ...

    @property
    def category_names(self) -> Sequence[str]: ...

    @property
    def sellers(self) -> Codes:
        """Positions in `seller_names`; -1 = unknown."""
        ...

    @property
    def seller_names(self) -> Sequence[str]: ...

    @property
    def prices(self) -> Scores:
        """NaN = unknown."""
        ...

    @property
    def is_blocked(self) -> Mask:
        """Items that policy forbids to show."""
        ...

    @property
    def popularity(self) -> Scores:
        """Share of recent positive events when the release was built, at least 0."""
        ...

    @property
    def is_new(self) -> Mask:
        """Items without any event when the release was built."""
        ...

    @property
    def is_little_known(self) -> Mask:
        """New items, and those not more popular than the median item: worth exploring."""
        ...

    @property
    def vectors(self) -> ItemVectors:
        """Unit length, [n, dim]."""
        ...

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The declared columns, by name."""
        ...

    @property
    def n_built(self) -> int:
        """Rows of the release itself; those behind them arrived while it was served."""
        ...

    def __len__(self) -> int: ...

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 when unknown."""
        ...

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """Rows int64 [n], -1 where unknown."""
        ...

    def ids_of(self, rows: Rows) -> tuple[str, ...]:
        """The ids of these rows, [n]."""
        ...

    def matching(self, filters: Filters) -> Mask:
        """Which items pass the filters, bool [n_items]; under an undeclared attribute none does."""
        ...


class Stock(Protocol):
    """Which items can be bought now; changes while serving."""

    @property
    def in_stock(self) -> Mask:
        """True = can be bought, [n_items]; replaced as a whole, never written in place."""
        ...


class Updates(Protocol):
    """Changes a release while it serves; not for two threads at once."""

    def apply(self, updates: Sequence[ItemUpdate]) -> Sequence[ItemOutcome]:
        """Takes over what is said of items, in order; one outcome for each thing that is said."""
        ...

    @property
    def arrived(self) -> tuple[int, int]:
        """How many items are served on top of the release, and how many have no vector for it."""
        ...


class Golden(Protocol):
    """Questions with known answers, to be asked one at a time while the release serves."""

    def __len__(self) -> int: ...

    def check_vector(self, number: int, release: "Release") -> str | None:
        """A sentence when the tower answers this one otherwise than when it was built."""
        ...

    def recall(self, number: int, release: "Release") -> float:
        """Share of the true neighbours that the index finds; 0 when it finds something else."""
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """One verified release, loaded: everything that one answer is made from.

    Attributes:
        again_weight: what an own item's share of the recent actions adds to its inner product.
        has_repeats: whether people come back to the same items (then `again` is a source and
            purchases are only excluded for a cool-down).
        manifest: the whole passport, as read.
        golden: what it was proved by; None for a release that was not loaded from files.
    """

    name: str
    embedding_version: str
    dim: int
    history_length: int
    again_weight: float
    has_repeats: bool
    tower: UserTower
    index: ItemIndex
    exact: ExactItemIndex
    router: ItemRouter
    catalogue: Catalogue
    stock: Stock
    updates: Updates
    ladder: Ladder
    manifest: Mapping[str, object]
    golden: Golden | None = None


class LiveTrends(Protocol):
    """What rises right now."""

    def rows_in(self, scope: str, release: Release) -> Rows:
        """Catalogue rows of that release, best first; none when nothing is known."""
        ...


class Releases(Protocol):
    """Holds the live release."""

    @property
    def live(self) -> Release:
        """The live release.

        Raises:
            NotReady: there is none.
        """
        ...


class Rule(Protocol):
    """One business rule: candidates -> keep-mask, or None where it keeps all of them."""

    @property
    def name(self) -> str: ...

    @property
    def fails_closed(self) -> bool:
        """What a rule that itself breaks does: True drops everything, False keeps everything."""
        ...

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None: ...


class Rung(Protocol):
    """One rung of the fallback ladder."""

    @property
    def name(self) -> str: ...

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        """At most n candidates, best first; none when the rung has nothing to say."""
        ...

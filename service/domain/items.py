"""Item ids and their hashes, and what callers tell of items while a release serves."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

Value = str | float | bool | tuple[str, ...]
"""What an attribute can be: a word, a number, a flag, several words."""


def item_hash(item_id: str) -> int:
    """The first 8 bytes of SHA-256 of the UTF-8 id, little endian, as an unsigned number.

    Bounded sets in Redis hold these instead of ids; SHA-256 so that a producer in any language
    can compute it.
    """
    return int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:8], "little")


@dataclass(frozen=True, slots=True)
class NewItem:
    """What is known of an item that arrives after the release was built.

    Attributes:
        seller: empty = unknown.
        price: at arrival, which the item tower looks at; None = unknown. An update says it beside
            the item as well, for releases that contain the item.
        attributes: by name; those that the release does not declare are kept for later ones.
        vector: of any length; empty leaves it to the item tower.
        embedding_version: the vector space that `vector` belongs to.
    """

    title: str
    category: str
    seller: str = ""
    price: float | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    vector: tuple[float, ...] = ()
    embedding_version: str = ""


@dataclass(frozen=True, slots=True)
class ItemUpdate:
    """What somebody says of one item; None = nothing is said about it.

    Attributes:
        at_s: epoch seconds at which it was said.
        stock: units that can be bought; 0 = sold out.
        is_blocked: whether policy forbids to show it.
        attributes: what requests may filter by, by name.
        new: the item itself.
    """

    item_id: str
    at_s: float
    stock: int | None = None
    price: float | None = None
    is_blocked: bool | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    new: NewItem | None = None


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """What was read of a shared log of updates.

    Attributes:
        updates: in the order in which they count; each item comes before what is said of it.
        position: where to read on.
        moments: epoch seconds at which what is new was written.
        n_unreadable: fields of foreign writers that nobody understands.
        has_more: whether there is more to read right now.
    """

    updates: tuple[ItemUpdate, ...]
    position: str
    moments: tuple[float, ...] = ()
    n_unreadable: int = 0
    has_more: bool = False


class Topic(StrEnum):
    """What can be said of an item."""

    STOCK = "stock"
    PRICE = "price"
    BLOCKED = "blocked"
    ATTRIBUTE = "attribute"
    NEW = "new"


class Effect(StrEnum):
    """What an update did to a release.

    UNKNOWN: the release has no such item, nor has it arrived; or it has no such attribute, or one
    of another kind. OLDER: the release knows better.
    NO_VECTOR: kept, but not served: neither its own vector nor the item tower fits the release.
    FULL: kept, but not served: too many have arrived since the release was built.
    """

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    OLDER = "older"
    UNKNOWN = "unknown"
    NO_VECTOR = "no_vector"
    FULL = "full"


class ItemOutcome(NamedTuple):
    """What one thing that was said of an item did."""

    topic: Topic
    effect: Effect

"""Names of the keys in Redis; a person's key never contains an id."""

import hashlib
from dataclasses import dataclass
from typing import Self

PREFIX = "sightline:"
ITEMS = b"sightline:{items}"
ITEM_LOG = b"sightline:{items}:log"
CHECK_BYTES = 8
TAG_DIGITS = 2


def page_key(recommendation_id: str) -> bytes:
    """The key of what a list has shown; a few hundred hash tags spread them over a cluster."""
    tag = recommendation_id[:TAG_DIGITS]
    return f"{PREFIX}{{page-{tag}}}:{recommendation_id}".encode()


def trend_key(hour: int) -> bytes:
    """The key of the counts of one hour since 1970."""
    return f"{PREFIX}{{trend}}:{hour}".encode()


@dataclass(frozen=True, slots=True)
class UserKeys:
    """The keys of one person; one hash tag, so that a cluster keeps them on one node.

    Attributes:
        session: what the read path reads.
        events: hashes of the event ids of the last day, for deduplication.
        check: 8 bytes at the head of the session that say whose it is.
    """

    session: bytes
    events: bytes
    check: bytes

    @classmethod
    def of(cls, user: str) -> Self:
        """The keys of a user key, from its SHA-256."""
        digest = hashlib.sha256(user.encode()).digest()
        stem = f"{PREFIX}{{{digest[:16].hex()}}}:"
        return cls(f"{stem}session".encode(), f"{stem}events".encode(), digest[:CHECK_BYTES])

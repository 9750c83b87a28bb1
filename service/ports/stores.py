"""The boundaries to what is shared between processes: sessions, identities, items."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.domain.arrays import Hashes
from service.domain.events import Event, EventOutcome
from service.domain.identity import LinkOutcome
from service.domain.items import ItemChanges, ItemUpdate
from service.domain.sessions import Session


class SessionStore(Protocol):
    """Reads and writes what people did."""

    async def read(self, user: str, timeout_s: float) -> Session:
        """The session of a person, in one round trip; empty for somebody unknown.

        Raises:
            StoreUnavailable: not answered within `timeout_s`, refused, or the breaker is open.
        """
        ...

    async def read_all(self, users: Sequence[str], timeout_s: float) -> Mapping[str, Session]:
        """The sessions of several ids in one round trip, by user key; those that could be read.

        Raises:
            StoreUnavailable: none of them could.
        """
        ...

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        """Stores events, one atomic and idempotent write per person; STORED or DUPLICATE each.

        Raises:
            StoreUnavailable: nothing is known to be stored; sending again is safe.
        """
        ...


class IdentityStore(Protocol):
    """Keeps who is who, what people declare, and forgets them; all by user key.

    Every call may be repeated safely, and has to be after an error.
    """

    async def link(self, account: str, anonymous: str) -> LinkOutcome:
        """Makes an anonymous id one with an account: LINKED, ALREADY or CONFLICT (another's).

        Raises:
            StoreUnavailable: not known to be linked.
        """
        ...

    async def unlink(self, account: str, anonymous: str) -> LinkOutcome:
        """Takes them apart again: UNLINKED, or ABSENT when they were not linked.

        Raises:
            StoreUnavailable: not known to be undone.
        """
        ...

    async def set_interests(self, user: str, names: Sequence[str]) -> None:
        """Replaces the declared interests.

        Raises:
            StoreUnavailable: not known to be stored.
        """
        ...

    async def forget(self, user: str) -> tuple[str, ...]:
        """Deletes everything kept of a person, under all linked ids; gives these.

        Raises:
            StoreUnavailable: perhaps not everything is gone.
        """
        ...


class TrendStore(Protocol):
    """Adds up what all processes count, by the hour since 1970."""

    async def add(self, hour: int, weights: Mapping[str, float]) -> None:
        """Adds weights by name.

        Raises:
            StoreUnavailable: perhaps not all of it is counted.
        """
        ...

    async def read(self, hour: int) -> Mapping[str, float]:
        """The heaviest weights of an hour.

        Raises:
            StoreUnavailable: not readable.
        """
        ...


class PageStore(Protocol):
    """Remembers for half an hour what a list has shown, so that it can be continued."""

    def remember(self, recommendation_id: str, shown: Hashes) -> None:
        """Keeps the hashes of all items shown so far; may be lost, never fails."""
        ...

    async def read(self, recommendation_id: str, timeout_s: float) -> Hashes | None:
        """What was shown; None when nobody remembers the list.

        Raises:
            StoreUnavailable: not answered within `timeout_s`.
        """
        ...


class ItemStore(Protocol):
    """Shares what is said of items between processes, and keeps it."""

    async def write(self, updates: Sequence[ItemUpdate]) -> None:
        """Keeps these for everybody; the last word about each item counts.

        Raises:
            StoreUnavailable: perhaps not all of it is stored; writing again is safe.
        """
        ...

    async def read_all(self) -> ItemChanges:
        """All that counts now.

        Raises:
            StoreUnavailable: not readable.
        """
        ...

    async def read_since(self, position: str) -> ItemChanges:
        """What was said since a position that was read before; everything if that is too old.

        Raises:
            StoreUnavailable: not readable.
        """
        ...

"""What this person did lately: the stored session together with what the caller brought along."""

from dataclasses import dataclass, replace

import numpy as np

from service.domain.arrays import Rows
from service.domain.deadlines import Deadline
from service.domain.sessions import EMPTY_SESSION, Session
from service.errors import StoreUnavailable
from service.ports import SessionStore


def merge(stored: Session, brought: Session) -> Session:
    """Both by time, newest last; an action in both (same item, type and instant) counts once."""
    if not brought.item_ids:
        return stored
    ids = stored.item_ids + brought.item_ids
    types = np.concatenate((stored.action_types, brought.action_types))
    at_s = np.concatenate((stored.at_s, brought.at_s))
    order = _once(ids, types, at_s, np.argsort(at_s, kind="stable"))
    return replace(
        stored,
        item_ids=tuple(ids[i] for i in order),
        action_types=types[order],
        at_s=at_s[order],
        n_interactions=stored.n_interactions + len(order) - len(stored.item_ids),
    )


def _once(ids: tuple[str, ...], types: Rows, at_s: np.ndarray, order: Rows) -> Rows:
    seen: set[tuple[str, int, float]] = set()
    kept = []
    for i in order.tolist():
        key = (ids[i], int(types[i]), float(at_s[i]))
        if key not in seen:
            seen.add(key)
            kept.append(i)
    return np.array(kept, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Reads a session within `timeout_s` and within what the request has left."""

    store: SessionStore
    timeout_s: float

    async def __call__(self, user: str | None, brought: Session, deadline: Deadline) -> Session:
        """One round trip, or none for nobody.

        Raises:
            StoreUnavailable: the store does not answer in time.
        """
        if user is None:
            return brought
        timeout_s = min(self.timeout_s, deadline.left_s)
        if timeout_s <= 0.0:
            raise StoreUnavailable("timeout", "no time left to look up the session")
        stored = await self.store.read(user, timeout_s)
        return merge(stored, brought) if brought is not EMPTY_SESSION else stored

"""An event as the write path sees it, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Event:
    """One thing one person did to one item.

    Attributes:
        event_id: the sender's id of the event; the same id is counted once in 24 hours.
        event_type: one of `service.domain.actions.EVENT_TYPES`.
        user: the key of the person, as `service.stages.identify` makes it.
        item_id: external id.
        at_s: when it happened, epoch seconds.
        value: units bought, a rating, …; NaN when unknown.
        recommendation_id: the list in which the item was shown, if any.
        rank: its place there, from 1; 0 when unknown.
        country: where the person was, as requests name it in their context; empty when unknown.
    """

    event_id: str
    event_type: str
    user: str
    item_id: str
    at_s: float
    value: float = float("nan")
    recommendation_id: str = ""
    rank: int = 0
    country: str = ""


class EventOutcome(StrEnum):
    """What became of an event."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    LATE = "late"
    FUTURE = "future"
    INVALID = "invalid"
    DROPPED = "dropped"

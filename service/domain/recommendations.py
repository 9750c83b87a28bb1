"""The answer: items in order, and how it was made."""

from dataclasses import dataclass

from service.domain.candidates import Candidates
from service.domain.sessions import Segment


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A finished list; everything else about its making is in the trace.

    Attributes:
        items: at most `requested` candidates in final order.
        item_ids: external ids of `items`, same order.
        reasons: short codes per item, same order (why it is here).
        signal_actions: actions that the vector was made from.
        signal_age_s: seconds since the newest of them, None without any.
        session_actions: actions of the visit that goes on now.
        missing_ids: ids in the request that the catalogue does not know.
    """

    recommendation_id: str
    items: Candidates
    item_ids: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    requested: int
    segment: Segment
    release: str
    embedding_version: str
    signal_actions: int = 0
    signal_age_s: float | None = None
    session_actions: int = 0
    missing_ids: tuple[str, ...] = ()

"""How much is known of the person."""

from dataclasses import dataclass

from service.domain.requests import Request
from service.domain.sessions import Segment, Session


@dataclass(frozen=True, slots=True)
class Segmenter:
    """Thresholds in actions and seconds.

    Attributes:
        sparse_below: fewer actions than this are sparse.
        power_from: this many actions or more are power.
        stale_after_s: a newest action older than this is stale.
        gap_s: a longer pause than this ends a visit.
    """

    sparse_below: int
    power_from: int
    stale_after_s: float
    gap_s: float = 1800.0

    def __call__(self, request: Request, session: Session, now_s: float) -> Segment:
        age_s = session.age_s(now_s)
        if age_s is None:
            return Segment.NEW
        if request.user_id is None and request.anonymous_id is None:
            return Segment.GUEST
        if age_s > self.stale_after_s:
            return Segment.STALE
        n = max(session.n_interactions, len(session.item_ids))
        if n < self.sparse_below:
            return Segment.SPARSE
        return Segment.POWER if n >= self.power_from else Segment.CASUAL

"""What somebody dislikes is not shown to them."""

from dataclasses import dataclass

from service.domain.actions import ACTION_CODES
from service.domain.arrays import Mask, Rows, among
from service.domain.requests import Query
from service.ports.serving import Release

_DISLIKE = ACTION_CODES["dislike"]


@dataclass(frozen=True, slots=True)
class NotDisliked:
    """Drops items with a dislike among the recent actions."""

    name: str = "disliked"
    fails_closed: bool = False

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        disliked = query.rows[query.session.action_types == _DISLIKE]
        if not len(disliked):
            return None
        return ~among(rows, disliked)

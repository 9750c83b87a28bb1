"""What somebody was shown lately can be left out on request."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows, among
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Drops what was seen within `window_s`, if the request asks for it."""

    window_s: float
    name: str = "seen"
    fails_closed: bool = False

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        seen = query.session.seen
        if not query.request.exclude_seen or not len(seen.hashes):
            return None
        hashes = seen.since(query.now_s - self.window_s)
        return ~among(release.catalogue.hashes.take(rows), hashes)

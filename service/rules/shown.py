"""What the pages before have shown is not shown again."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows, among
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class NotShown:
    """Drops the items of the list that this one continues."""

    name: str = "shown"
    fails_closed: bool = False

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        if not len(query.shown):
            return None
        return ~among(release.catalogue.hashes.take(rows), query.shown)

"""The attribute filters of the request."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class Matches:
    """Keeps items that pass every filter of the request."""

    name: str = "filters"
    fails_closed: bool = True

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        filters = query.request.filters
        if filters.is_empty:
            return None
        return release.router.passes(rows, filters)

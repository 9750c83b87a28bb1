"""Items that the caller does not want are not shown."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows, among
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class NotExcluded:
    """Drops `exclude_item_ids`."""

    name: str = "excluded"
    fails_closed: bool = False

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask | None:
        excluded = query.request.exclude_item_ids
        if not excluded:
            return None
        return ~among(rows, release.catalogue.rows_of(excluded))

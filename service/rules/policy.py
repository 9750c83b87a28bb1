"""Items that policy forbids are never shown."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class Policy:
    """Drops items whose catalogue flags block them (recalled, withdrawn, adult)."""

    name: str = "policy"
    fails_closed: bool = True

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask:
        return ~release.catalogue.is_blocked.take(rows)

"""Sold-out items are never shown."""

from dataclasses import dataclass

from service.domain.arrays import Mask, Rows
from service.domain.requests import Query
from service.ports.serving import Release


@dataclass(frozen=True, slots=True)
class InStock:
    """Keeps what can be bought now."""

    name: str = "stock"
    fails_closed: bool = True

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask:
        return release.stock.in_stock.take(rows)

"""The static lists a release falls back on."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.arrays import NO_ROWS, Rows

ALL = "all"


def category_scope(name: str) -> str:
    """The scope of one category."""
    return f"category:{name}"


def country_scope(name: str) -> str:
    """The scope of one country."""
    return f"country:{name}"


@dataclass(frozen=True, slots=True)
class Ladder:
    """Catalogue rows per scope (`all`, `category:…`, `country:…`), best first."""

    popular: Mapping[str, Rows]
    trending: Mapping[str, Rows]

    def popular_in(self, scope: str) -> Rows:
        return self.popular.get(scope, NO_ROWS)

    def trending_in(self, scope: str) -> Rows:
        return self.trending.get(scope, NO_ROWS)

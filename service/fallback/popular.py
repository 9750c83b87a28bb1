"""Rung: what always works. The list lives in the release, so it is never empty."""

from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Rows
from service.domain.candidates import Candidates
from service.domain.ladders import ALL, country_scope
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports import Release


@dataclass(frozen=True, slots=True)
class Popular:
    """The country's list, then everybody's; under attribute filters, the allowed items by count."""

    name: str = "popular"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        if not query.request.filters.is_empty:
            return Candidates.of(_allowed(query, release)[:n], None, Source.POPULAR)
        everybody = Candidates.of(release.ladder.popular_in(ALL), None, Source.POPULAR)
        country = query.request.context.get("country")
        if country is None:
            return everybody.head(n)
        local = release.ladder.popular_in(country_scope(country))
        return Candidates.of(local, None, Source.POPULAR).then(everybody).head(n)


def _allowed(query: Query, release: Release) -> Rows:
    rows = np.flatnonzero(release.catalogue.matching(query.request.filters))
    order = np.argsort(-release.catalogue.popularity[rows], kind="stable")
    return rows[order]

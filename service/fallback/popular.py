"""Rung: what always works. The list lives in the release, so it is never empty."""

from dataclasses import dataclass

from service.domain.candidates import Candidates
from service.domain.ladders import ALL, category_scope, country_scope
from service.domain.requests import Query
from service.domain.sources import Source
from service.fallback.trending import interleave
from service.ports.serving import Release

SOURCE = Source.POPULAR


@dataclass(frozen=True, slots=True)
class Popular:
    """The lists of declared interests, the country's, everybody's; under filters, by count."""

    name: str = "popular"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        if not query.request.filters.is_empty:
            rows = release.router.most_popular(query.request.filters, n)
            return Candidates.of(rows, None, SOURCE)
        ladder, country = release.ladder, query.request.context.get("country")
        liked = [ladder.popular_in(category_scope(name)) for name in query.session.interests]
        found = Candidates.of(interleave(liked), None, SOURCE)
        if country is not None:
            local = ladder.popular_in(country_scope(country))
            found = found.then(Candidates.of(local, None, SOURCE))
        return found.then(Candidates.of(ladder.popular_in(ALL), None, SOURCE)).head(n)

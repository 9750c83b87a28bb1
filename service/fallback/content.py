"""Rung: items like the recent ones, without the user tower."""

from dataclasses import dataclass

import numpy as np

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.ports.serving import Release

SHORTEST = 1e-6
"""A mean shorter than this points nowhere: the vectors cancelled out."""


@dataclass(frozen=True, slots=True)
class Content:
    """Nearest to the mean of the recent items' vectors: what is left when the tower fails."""

    name: str = "content"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        rows = query.rows[(query.rows >= 0) & ~query.session.is_negative]
        if not len(rows) or query.deadline.has_passed:
            return Candidates.none()
        centre = release.catalogue.vectors[rows[-release.history_length :]].mean(axis=0)
        length = float(np.linalg.norm(centre))
        if length < SHORTEST:
            return Candidates.none()
        unit = (centre / length).astype(np.float32)
        found = release.router.search(unit, n, query.request.filters)
        return Candidates.of(found.rows, found.scores, Source.CONTENT)

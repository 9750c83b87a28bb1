"""Places for items that somebody pays for: labelled, few, and under the same rules."""

from dataclasses import dataclass

import numpy as np

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.domain.traces import Trace
from service.ports.serving import Release
from service.stages.filter import Filter

FIRST_PLACE = 2
"""Never the top: position 2 is the third place."""
EVERY = 5


@dataclass(frozen=True, slots=True)
class Sponsor:
    """Gives at most `most` places of a list to sponsored items, in the caller's order."""

    most: int
    rules: Filter

    def __call__(
        self, found: Candidates, query: Query, release: Release, trace: Trace
    ) -> Candidates:
        """The list with the third, eighth, … place sponsored; unchanged when none may be shown.

        An item that is in the list anyway moves there and is labelled. The caps of `diversify`
        come after this stage and hold for sponsored items like for all others.
        """
        asked = query.request.sponsored_item_ids
        if not asked or not self.most:
            return found
        rows = release.catalogue.rows_of(tuple(dict.fromkeys(asked)))
        paid = Candidates.of(rows[rows >= 0], None, Source.SPONSORED)
        places = np.arange(FIRST_PLACE, query.request.k, EVERY)
        paid = self.rules(paid, query, release, trace).head(min(self.most, len(places)))
        if not len(paid):
            return found
        both = paid.then(found)
        positions = np.arange(len(paid))
        lowest = len(both) - len(paid) + positions  # a short list ends before the places do
        return both.move(positions, np.minimum(places[: len(paid)], lowest))

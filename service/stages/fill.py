"""Too few left: the fallback ladder tops the list up, under the same rules."""

from dataclasses import dataclass

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.traces import Trace
from service.ports.serving import Release, Rung
from service.stages.filter import Filter

SLACK = 200
"""Proposals of a rung beyond what is missing, for the rules to remove."""


@dataclass(frozen=True, slots=True)
class Fill:
    """The rungs, best first; a rung is asked only if the ones above left the list short."""

    rungs: tuple[Rung, ...]
    rules: Filter

    def __call__(
        self, found: Candidates, query: Query, release: Release, trace: Trace
    ) -> Candidates:
        """Found first, then what the rungs add; twice what is asked, so that caps have a choice.

        A rung that breaks is skipped and noted.
        """
        k = query.request.k
        if query.request.strict:
            return found
        for rung in self.rungs:
            if len(found) >= k:
                break
            proposed = _propose(
                rung, query, release, 2 * k + SLACK + len(found) + len(query.shown), trace
            )
            found = found.then(self.rules(proposed, query, release, trace)).head(2 * k)
        return found


def _propose(rung: Rung, query: Query, release: Release, n: int, trace: Trace) -> Candidates:
    try:
        return rung.propose(query, release, n)
    except Exception:
        trace.degrade("fill")
        return Candidates.none()

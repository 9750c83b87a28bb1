"""Runs the business rules and counts what each of them removes."""

from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Mask, among
from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.traces import TOP, Trace
from service.ports.serving import Release, Rule


@dataclass(frozen=True, slots=True)
class Filter:
    """The rules in their order, cheapest first."""

    rules: tuple[Rule, ...]

    def __call__(
        self, found: Candidates, query: Query, release: Release, trace: Trace
    ) -> Candidates:
        """The candidates that every rule keeps, in the same order. Never raises."""
        proposed = found
        for rule in self.rules:
            if not len(found):
                break
            mask = _mask(rule, found, query, release, trace)
            if mask is not None:
                kept = found.keep(mask)
                trace.remove(rule.name, len(found) - len(kept))
                found = kept
        if trace.top_removed is None and len(proposed):
            trace.top_removed = 0 if found is proposed else _top_removed(proposed, found)
        return found


def _top_removed(proposed: Candidates, kept: Candidates) -> int:
    top = proposed.rows[:TOP]
    return len(top) - int(among(top, kept.rows[:TOP]).sum())


def _mask(
    rule: Rule, found: Candidates, query: Query, release: Release, trace: Trace
) -> Mask | None:
    try:
        return rule(found.rows, query, release)
    except Exception:
        trace.degrade("filter")
        return np.full(len(found), not rule.fails_closed)

"""Keeps a few places for items we know little about, with the exact chance of each draw."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Rows
from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.domain.traces import Draw, Trace
from service.ports.serving import Release

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Explore:
    """Gives `share` of the slots to little-known items among those just below the list.

    The same person sees the same draw all day, so that refreshing and paging are stable.
    """

    share: float

    def __call__(
        self, found: Candidates, query: Query, release: Release, trace: Trace
    ) -> Candidates:
        """The list with explored items moved up into it; unchanged when there is nothing to try.

        The pool is dealt out in turn, one part per slot, and each slot draws uniformly from its
        part. The propensity of a drawn item is therefore exactly P(slot exists) / len(part).
        """
        request = query.request
        share = self.share if request.explore is None else request.explore
        expected = round(request.k * share, 9)  # 0.1 * 30 is not 3
        if expected <= 0.0 or len(found) <= request.k:
            return found
        chance = _Chance(query.user or request.session_id or "", int(query.now_s // DAY_S))
        n_sure = math.floor(expected)
        n = n_sure + (chance.uniform("slots") < expected - n_sure)
        below = found.rows[request.k :]
        pool = request.k + np.flatnonzero(release.catalogue.is_little_known[below])
        picks, draws = _pick(
            found.rows, [pool[slot :: math.ceil(expected)] for slot in range(n)], expected, chance
        )
        trace.draws = tuple(draws)
        return _move_up(found, picks, draws, request.k) if picks else found


@dataclass(frozen=True, slots=True)
class _Chance:
    """Uniform numbers in [0, 1) that depend on person, day and name only."""

    user: str
    day: int

    def uniform(self, name: str) -> float:
        digest = hashlib.blake2b(f"{self.day}\0{name}\0{self.user}".encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "little") / 2.0**64


def _pick(
    rows: Rows, parts: Sequence[Rows], expected: float, chance: _Chance
) -> tuple[list[int], list[Draw]]:
    """One position out of each part, and how likely it was; the last slot may be there by luck."""
    picks, draws = [], []
    for slot, part in enumerate(parts):
        if not len(part):
            continue
        pick = int(part[int(chance.uniform(f"slot {slot}") * len(part))])
        exists = min(1.0, expected - slot)
        picks.append(pick)
        draws.append(Draw(int(rows[pick]), rows[part], exists / len(part)))
    return picks, draws


def _move_up(found: Candidates, picks: list[int], draws: list[Draw], k: int) -> Candidates:
    """The picked candidates at evenly spaced places of the first k, lower half first."""
    taken = set(picks)
    order = [i for i in range(len(found)) if i not in taken]
    places = [k - 1 - (n_placed * k) // (2 * len(picks)) for n_placed in range(len(picks))]
    for place, pick in zip(reversed(places), picks, strict=True):  # ascending: none moves another
        order.insert(place, pick)
    sources = found.sources.copy()
    sources[picks] = Source.EXPLORATION
    propensities = found.propensities.copy()
    propensities[picks] = [draw.propensity for draw in draws]
    marked = Candidates(found.rows, found.scores, sources, propensities)
    return marked.take(np.array(order, dtype=np.int64))

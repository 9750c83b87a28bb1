"""Keeps a few places for items we know little about, with the exact chance of each draw."""

import hashlib
import math
import struct
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
EIGHT = struct.Struct("<8Q")
"""The numbers that one hash gives."""


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
        n_most = math.ceil(expected)
        chances = _chances(query.user or request.session_id or "", query.now_s, n_most)
        n = n_most - (chances.pop() >= 1.0 + expected - n_most)  # the last slot may be missing
        is_wanted = release.catalogue.is_little_known.take(found.rows[request.k :])
        pool = request.k + is_wanted.nonzero()[0]
        parts = [pool[slot::n_most] for slot in range(n)]
        picks, draws = _pick(found.rows, parts, expected, chances)
        trace.draws = tuple(draws)
        return _move_up(found, picks, draws, request.k) if picks else found


def _chances(user: str, now_s: float, n_slots: int) -> list[float]:
    """Uniform numbers in [0, 1) that depend on person and day only.

    One for each slot, and one that tells whether the last slot exists.
    """
    numbers: list[int] = []
    while len(numbers) <= n_slots:
        text = f"{int(now_s // DAY_S)}\0{len(numbers)}\0{user}"
        numbers += EIGHT.unpack(hashlib.blake2b(text.encode()).digest())
    return [(number >> 11) / 2.0**53 for number in numbers[: n_slots + 1]]


def _pick(
    rows: Rows, parts: Sequence[Rows], expected: float, chances: Sequence[float]
) -> tuple[list[int], list[Draw]]:
    """One position out of each part, and how likely it was; the last slot may be there by luck."""
    picks, draws = [], []
    for slot, part in enumerate(parts):
        if not len(part):
            continue
        pick = int(part[int(chances[slot] * len(part))])
        exists = min(1.0, expected - slot)
        picks.append(pick)
        draws.append(Draw(int(rows[pick]), rows[part], exists / len(part)))
    return picks, draws


def _move_up(found: Candidates, picks: list[int], draws: list[Draw], k: int) -> Candidates:
    """The picked candidates at evenly spaced places of the lower half of the first k.

    More than fit there stand side by side at the end of the first k.
    """
    n, positions = len(picks), np.array(picks)
    places = [k - 1 - i * max(k, 2 * n) // (2 * n) for i in reversed(range(n))]
    sources, propensities = found.sources.copy(), found.propensities.copy()
    sources[positions] = Source.EXPLORATION
    propensities[positions] = [draw.propensity for draw in draws]
    marked = Candidates(found.rows, found.scores, sources, propensities)
    return marked.move(positions, np.array(places))

"""At most so many of one kind: what a cap passes over waits until there is room."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""The code of a candidate that a cap does not mean."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` of the chosen may share a code; a code for each candidate."""

    codes: list[int]
    most: int

    @classmethod
    def of(cls, codes: NDArray[np.integer], most: int) -> "Cap":
        return cls(codes.tolist(), most)

    def holds(self, n: int) -> bool:
        """Whether the first n keep to it as they stand."""
        counts = Counter(self.codes[:n])
        del counts[UNKNOWN]
        return max(counts.values(), default=0) <= self.most

    def room(self) -> dict[int, int]:
        """How many more of each code may be chosen, before any is."""
        left = dict.fromkeys(self.codes, self.most)
        left[UNKNOWN] = len(self.codes)
        return left


def choose(
    caps: Sequence[Cap], is_free: Sequence[bool], top: int, top_cap: Cap, k: int
) -> tuple[list[int], bool]:
    """Positions of the first k under the caps, and whether every cap found enough.

    Args:
        caps: hold for all k places.
        is_free: whom caps count, but never pass over.
        top: how many places come first.
        top_cap: holds for these as well.
        k: places to give.
    """
    if top_cap.holds(top) and all(cap.holds(k) for cap in caps):
        return list(range(min(k, len(is_free)))), True
    room = [(cap.codes, cap.room()) for cap in caps]
    chosen: list[int] = []
    above = [*room, (top_cap.codes, top_cap.room())]
    rest = _fill(chosen, range(len(is_free)), top, above, is_free)
    is_top_full = len(chosen) == top
    _fill(chosen, rest, k, room, is_free)
    return chosen, is_top_full and len(chosen) == k


def _fill(
    chosen: list[int],
    positions: Sequence[int],
    upto: int,
    room: Sequence[tuple[list[int], dict[int, int]]],
    is_free: Sequence[bool],
) -> list[int]:
    """Moves allowed positions to `chosen` until it holds `upto`; returns the others in order.

    Plain loops over lists: this runs for every item of every list.
    """
    rest: list[int] = []
    for n_read, i in enumerate(positions):
        if len(chosen) >= upto:
            return [*rest, *positions[n_read:]]
        for codes, left in room:
            if left[codes[i]] <= 0 and not is_free[i]:
                rest.append(i)
                break
        else:
            chosen.append(i)
            for codes, left in room:
                left[codes[i]] -= 1
    return rest

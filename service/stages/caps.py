"""At most so many of one kind: what a cap passes over waits until there is room."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""The code of a candidate that a cap does not mean."""


class Cap:
    """At most `most` of the chosen may share a code.

    Attributes:
        codes: one for each candidate.
        left: how many more of each code may be chosen.
    """

    __slots__ = ("codes", "left")

    def __init__(self, codes: NDArray[np.integer], most: int) -> None:
        self.codes: list[int] = codes.tolist()
        self.left = dict.fromkeys(self.codes, most)
        self.left[UNKNOWN] = len(self.codes)


def choose(
    caps: Sequence[Cap], top_cap: Cap, top: int, k: int, is_free: Sequence[bool]
) -> tuple[list[int], bool]:
    """Positions of the first k under the caps, and whether every cap found enough.

    Args:
        caps: hold for all k places.
        top_cap: holds for the first `top` places as well.
        top: at most k.
        k: places to give.
        is_free: whom caps count, but never pass over; one for each candidate.
    """
    chosen: list[int] = []
    rest = _fill(chosen, range(len(is_free)), top, (*caps, top_cap), is_free)
    is_top_full = len(chosen) == top
    following = rest[: k - len(chosen)]
    if _have_room(following, caps):
        chosen += following
    else:
        _fill(chosen, rest, k, caps, is_free)
    return chosen, is_top_full and len(chosen) == k


def _fill(
    chosen: list[int],
    positions: Sequence[int],
    upto: int,
    caps: Sequence[Cap],
    is_free: Sequence[bool],
) -> list[int]:
    """Moves allowed positions to `chosen` until it holds `upto`; returns the others in order.

    Plain loops over lists: this runs for every item of a list that a cap changes.
    """
    rest: list[int] = []
    missing = upto - len(chosen)
    for n_read, i in enumerate(positions):
        if not missing:
            return [*rest, *positions[n_read:]]
        for cap in caps:
            if cap.left[cap.codes[i]] <= 0 and not is_free[i]:
                rest.append(i)
                break
        else:
            missing -= 1
            chosen.append(i)
            for cap in caps:
                cap.left[cap.codes[i]] -= 1
    return rest


def _have_room(positions: Sequence[int], caps: Sequence[Cap]) -> bool:
    """Whether no cap forbids any of these."""
    for cap in caps:
        counts = Counter(map(cap.codes.__getitem__, positions))
        if any(cap.left[code] < n for code, n in counts.items()):
            return False
    return True

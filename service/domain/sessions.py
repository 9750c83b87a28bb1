"""What a person did lately, as the read path sees it."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from service.domain.actions import ACTIONS, NEGATIVE
from service.domain.arrays import NO_HASHES, NO_ROWS, NO_TIMES, Hashes, Mask, Rows, Times

_IS_NEGATIVE = np.array([name in NEGATIVE for name in ACTIONS])


class Segment(StrEnum):
    """How much is known of the person who asks."""

    NEW = "new"
    SPARSE = "sparse"
    CASUAL = "casual"
    POWER = "power"
    GUEST = "guest"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Marks:
    """Items with the last time something happened to them: `hashes` uint64 [n], `at_s` [n]."""

    hashes: Hashes = field(default_factory=lambda: NO_HASHES)
    at_s: Times = field(default_factory=lambda: NO_TIMES)

    def since(self, instant_s: float) -> Hashes:
        """Hashes of the items marked at or after `instant_s` (epoch seconds)."""
        return self.hashes[self.at_s >= instant_s]


@dataclass(frozen=True, slots=True)
class Session:
    """The recent actions of one person, oldest first, and the bounded memory beside them.

    Attributes:
        item_ids: external ids, [n].
        action_types: positions in `ACTIONS`, int64 [n].
        at_s: epoch seconds, float64 [n].
        n_interactions: actions ever counted, at least n.
        interests: declared category names.
        purchased: items bought and not returned since, with the time of the last purchase.
        returned: items returned and not bought since, with the time of the last return.
        seen: items shown or opened, with the last time.
        links: user keys that belong to the same person, as the store has them
            (`service.domain.identity.person_of` tells which of them hold).
    """

    item_ids: tuple[str, ...] = ()
    action_types: Rows = field(default_factory=lambda: NO_ROWS)
    at_s: Times = field(default_factory=lambda: NO_TIMES)
    n_interactions: int = 0
    interests: tuple[str, ...] = ()
    purchased: Marks = field(default_factory=Marks)
    returned: Marks = field(default_factory=Marks)
    seen: Marks = field(default_factory=Marks)
    links: tuple[str, ...] = ()

    @property
    def is_negative(self) -> Mask:
        """Which actions speak against their item, bool [n]."""
        return _IS_NEGATIVE[self.action_types]

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the newest action, never negative; None without any."""
        return max(0.0, now_s - float(self.at_s[-1])) if len(self.item_ids) else None

    def current(self, gap_s: float, now_s: float) -> int:
        """Actions of the visit that goes on now: back to the first pause longer than `gap_s`."""
        later_s, n = now_s, 0
        for at_s in reversed(self.at_s.tolist()):
            if later_s - at_s > gap_s:
                break
            later_s, n = at_s, n + 1
        return n


EMPTY_SESSION = Session()

"""How much time a request has left."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of the monotonic clock by which the answer is due."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.at_s - time.monotonic()

    @property
    def has_passed(self) -> bool:
        return self.left_s <= 0.0

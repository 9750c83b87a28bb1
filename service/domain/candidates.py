"""The one value that flows through the read path: items proposed for one query."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Mask, Rows, Scores, among
from service.domain.sources import Source


@dataclass(frozen=True, slots=True)
class Candidates:
    """Proposed items, best first, each row at most once.

    Attributes:
        rows: catalogue rows, int64 [n].
        scores: float32 [n], comparable within one source only; NaN where a source gives none.
        sources: positions in `Source`, uint8 [n].
        propensities: probability of the draw that placed an explored item, float32 [n]; NaN
            where nothing was drawn.
    """

    rows: Rows
    scores: Scores
    sources: "np.ndarray[tuple[int], np.dtype[np.uint8]]"
    propensities: Scores

    @classmethod
    def none(cls) -> Self:
        return cls(NO_ROWS, NO_SCORES, np.empty(0, dtype=np.uint8), NO_SCORES)

    @classmethod
    def of(cls, rows: Rows, scores: Scores | None, source: Source) -> Self:
        """Candidates of one source; `scores` None means that the source gives none."""
        blank, sources = np.empty(len(rows), dtype=np.float32), np.empty(len(rows), dtype=np.uint8)
        blank.fill(np.nan)
        sources.fill(source)
        return cls(rows, blank if scores is None else scores, sources, blank)

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, mask: Mask) -> Self:
        """Only the candidates where `mask` is True, in the same order."""
        kept = mask.nonzero()[0]
        return self if len(kept) == len(self) else self.take(kept)

    def take(self, order: Rows) -> Self:
        """The candidates at these positions, in this order."""
        return type(self)(
            self.rows.take(order),
            self.scores.take(order),
            self.sources.take(order),
            self.propensities.take(order),
        )

    def move(self, positions: Rows, places: Rows) -> Self:
        """The candidates at `positions` stand at `places`, the others around them in order.

        Args:
            positions: where they stand now, each once, int64 [m].
            places: where they shall stand, each once and within the list, int64 [m].
        """
        is_other = np.ones(len(self), dtype=np.bool_)
        is_open = is_other.copy()
        is_other[positions] = is_open[places] = False
        order = np.empty(len(self), dtype=np.int64)
        order[places] = positions
        order[is_open] = is_other.nonzero()[0]
        return self.take(order)

    def head(self, n: int) -> Self:
        """The first n."""
        if n >= len(self):
            return self
        return type(self)(self.rows[:n], self.scores[:n], self.sources[:n], self.propensities[:n])

    def then(self, other: Self) -> Self:
        """These, followed by those of `other` whose rows are not among these."""
        if not len(self):
            return other
        fresh = other.keep(~among(other.rows, self.rows))
        if not len(fresh):
            return self
        return type(self)(
            np.concatenate((self.rows, fresh.rows)),
            np.concatenate((self.scores, fresh.scores)),
            np.concatenate((self.sources, fresh.sources)),
            np.concatenate((self.propensities, fresh.propensities)),
        )

    def by_score(self) -> Self:
        """Best score first; ties keep their order."""
        return self.take(np.argsort(-self.scores, kind="stable"))

"""The scores of two towers: cosines of the user's vector with every item's vector."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from models.evaluation.cases import Cases
from models.evaluation.scorers import known
from service.domain.arrays import Scores, Times, Vectors
from service.towers.features import History

DAY_S = 86_400


class Towers(Protocol):
    """What the evaluation needs of a pair of trained towers."""

    def item_vectors(self, as_of_s: int) -> Vectors:
        """float32 [items, dim] with the counts of the whole days before `as_of_s`."""
        ...

    def user_vectors(
        self, histories: Sequence[History], now_s: Times, vectors: Vectors | None = None
    ) -> Vectors:
        """float32 [cases, dim], from histories whose items have these vectors."""
        ...


@dataclass(frozen=True, slots=True)
class TowerScorer:
    """Frozen: item vectors as of one instant. Refreshed: as of midnight before each case.

    Attributes:
        last: events that the user tower sees.
        as_of_s: the instant of the frozen vectors, epoch seconds.
    """

    towers: Towers
    last: int
    as_of_s: int
    fresh: bool = False
    _vectors: dict[int, Vectors] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "Tower, refreshed daily" if self.fresh else "Tower"

    @property
    def information(self) -> str:
        return known(self.last)

    def score(self, cases: Cases, part: slice) -> Scores:
        histories = cases.histories(part, self.last)
        start_s = cases.start_s[part]
        as_of = start_s // DAY_S * DAY_S if self.fresh else np.full_like(start_s, self.as_of_s)
        scores = np.empty((len(start_s), cases.log.items.n), dtype=np.float32)
        for moment in np.unique(as_of):
            chosen = np.flatnonzero(as_of == moment)
            items = self.items(int(moment))
            users = self.towers.user_vectors(
                [histories[i] for i in chosen], start_s[chosen].astype(np.float64), items
            )
            scores[chosen] = users @ items.T
        return scores

    def items(self, as_of_s: int) -> Vectors:
        """The item vectors as of an instant, computed once."""
        if as_of_s not in self._vectors:
            self._vectors[as_of_s] = self.towers.item_vectors(as_of_s)
        return self._vectors[as_of_s]

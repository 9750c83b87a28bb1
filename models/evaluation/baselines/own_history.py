"""The user's own earlier items: alone, then the popular ones; or as a term beside other scores."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.baselines.states import counts
from models.evaluation.cases import Cases
from models.evaluation.scorers import Scorer, known
from service.domain.arrays import Scores


@dataclass(frozen=True, slots=True)
class OwnItems:
    """Count of the user's positive events per item over the user's largest count, 0 elsewhere."""

    last: int | None
    name: str = "own items"
    fresh: bool = False

    @property
    def information(self) -> str:
        return known(self.last)

    def score(self, cases: Cases, part: slice) -> Scores:
        case, row, count = counts(cases, part, self.last)
        out = np.zeros((part.stop - part.start, cases.log.items.n), dtype=np.float32)
        largest = np.ones(len(out), dtype=np.int64)
        np.maximum.at(largest, case, count)
        out[case, row] = count / largest[case]
        return out


@dataclass(frozen=True, slots=True)
class OwnThenPopular:
    """The user's items by count, the more popular first among equals, then the popular items."""

    last: int | None
    popular: Scorer
    fresh: bool = False

    @property
    def name(self) -> str:
        return f"Own history ({known(self.last)}), then popular"

    @property
    def information(self) -> str:
        return known(self.last)

    def score(self, cases: Cases, part: slice) -> Scores:
        case, row, count = counts(cases, part, self.last)
        out = self.popular.score(cases, part).copy()
        out[case, row] += 1 + count
        return out

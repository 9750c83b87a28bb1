"""The floor of the new-item replay: any order at all."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.cases import Cases
from models.evaluation.scorers import NOTHING
from service.domain.arrays import Scores


@dataclass(frozen=True, slots=True)
class Random:
    """A random order of the catalogue for every case, the same in every run."""

    seed: int
    name: str = "Random"
    information: str = NOTHING
    fresh: bool = False

    def score(self, cases: Cases, part: slice) -> Scores:
        rng = np.random.default_rng((self.seed, part.start))
        return rng.random((part.stop - part.start, cases.log.items.n), dtype=np.float32)

"""Golden probes asked again of a release that serves: one at a time, so that nobody waits long."""

from dataclasses import dataclass

import numpy as np

from service.errors import ReleaseRefused, Unavailable
from service.ports.serving import Release
from service.releases.probes import Probes, check_vectors, overlap
from service.towers.onnx import OnnxUserTower

SCORE_TOLERANCE = 1e-3
"""The index sums in another order than numpy does."""


@dataclass(frozen=True, slots=True)
class GoldenProbes:
    """The probes that a release was proved by (`service.ports.serving.Golden`)."""

    probes: Probes

    def __len__(self) -> int:
        return len(self.probes)

    def check_vector(self, number: int, release: Release) -> str | None:
        """Asks the tower one probe; a sentence when it answers otherwise than recorded."""
        if not isinstance(release.tower, OnnxUserTower):
            return None
        try:
            check_vectors(self._one(number), release.tower, release.catalogue)
        except ReleaseRefused as error:
            return str(error)
        return None

    def recall(self, number: int, release: Release) -> float:
        """How much of the recorded neighbours the index finds; 0 if its scores are not theirs."""
        vector, wanted = self.probes.vectors[number], self.probes.rows[number]
        try:
            rows, scores = release.index.search(vector, len(wanted))
        except Unavailable:
            return 0.0
        true = release.catalogue.vectors[rows] @ vector
        if not np.allclose(scores, true, rtol=0.0, atol=SCORE_TOLERANCE):
            return 0.0
        return overlap(rows[None], wanted[None])

    def _one(self, number: int) -> Probes:
        its, one = self.probes, slice(number, number + 1)
        inputs = {name: array[one] for name, array in its.inputs.items()}
        return Probes(inputs, its.hashes[one], its.vectors[one], its.rows[one])

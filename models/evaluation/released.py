"""A published release as towers to evaluate: the very files that are served, vectors frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np

from models.errors import EvaluationInvalid
from models.interactions import Log
from service.domain.arrays import Rows, Times, Vectors
from service.errors import ReleaseRefused
from service.ports.serving import Release
from service.releases.loader import load_release
from service.towers.features import History, history_inputs, item_vectors, translate_actions
from service.towers.onnx import OnnxUserTower

UNDERSTOOD = {"item_vectors", "item_rows", "action_types", "ages_s", "history_length"}


@dataclass(frozen=True, slots=True)
class ReleasedTowers:
    """The user tower and the item vectors of a release, by the rows of a log.

    Attributes:
        rows: int64 [items of the log], their catalogue rows in the release.
        translation: where each known action stands in the release's vocabulary, -1 nowhere.
        trained_through_s: epoch seconds up to which the release knows the log.
    """

    release: Release
    tower: OnnxUserTower
    rows: Rows
    translation: Rows
    trained_through_s: int

    @classmethod
    def load(cls, folder: Path, log: Log) -> Self:
        """Loads and checks a release as the service does.

        Raises:
            EvaluationInvalid: the service would refuse it, it lacks items of the log, or its
                tower wants inputs that a log cannot give.
        """
        try:
            release = load_release(folder)
        except ReleaseRefused as error:
            raise EvaluationInvalid(f"{folder} is no usable release: {error}") from error
        rows = release.catalogue.rows_of(log.items.ids)
        if (rows < 0).any():
            missing = log.items.ids[int(np.argmin(rows))]
            raise EvaluationInvalid(
                f"{folder} does not know the item {missing}: refresh the release with this log"
            )
        tower = release.tower
        if not isinstance(tower, OnnxUserTower) or set(tower.input_names) - UNDERSTOOD:
            known = ", ".join(sorted(UNDERSTOOD))
            raise EvaluationInvalid(f"{folder}: only towers with the inputs {known} can be judged")
        manifest = release.manifest
        through = datetime.fromisoformat(str(manifest["trained_through"]))
        translation = translate_actions([str(name) for name in manifest["actions"]])  # type: ignore[attr-defined]
        return cls(release, tower, rows, translation, int(through.timestamp()))

    def item_vectors(self, as_of_s: int) -> Vectors:
        """float32 [items of the log, dim]; those of the release, whatever the instant."""
        found: Vectors = self.release.catalogue.vectors[self.rows]
        return found

    def user_vectors(
        self, histories: Sequence[History], now_s: Times, vectors: Vectors | None = None
    ) -> Vectors:
        """float32 [B, dim]; the release's own item vectors are looked up."""
        known = [self._known(history) for history in histories]
        inputs = history_inputs(known, now_s, self.release.history_length)
        inputs["item_vectors"] = item_vectors(inputs["item_rows"], self.release.catalogue.vectors)
        return self.tower.run(inputs)

    def _known(self, history: History) -> History:
        types = self.translation[history.action_types]
        kept = types >= 0
        return History(self.rows[history.rows[kept]], types[kept], history.at_s[kept])

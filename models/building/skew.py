"""How bad a mix of two releases would be: the reason why no answer may mix them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.building.baseline import Asked
from service.domain.arrays import Rows, Vectors
from service.indexes.exact import ExactIndex
from service.ports.serving import ItemIndex, Release
from service.releases.probes import DEPTH, overlap
from service.towers.features import History, history_inputs, item_vectors
from service.towers.onnx import OnnxUserTower

MAX_STATES = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """A release to come, as far as it can be compared.

    Attributes:
        ids: item ids by row; vectors: float32 [n, dim].
        states: histories by row; answers: what its tower says to them, float32 [q, dim].
    """

    ids: Sequence[str]
    vectors: Vectors
    states: Asked
    answers: Vectors


def skew(old: Release, new: Answered) -> dict[str, object]:
    """Recall at 100 of mixed pairs against the pair that belongs together.

    Returns:
        `old_tower_new_index`, `new_tower_old_index` and the old release's name as `with`;
        nothing where the dimensions differ.
    """
    if old.dim != new.vectors.shape[1] or not isinstance(old.tower, OnnxUserTower):
        return {}
    known = [_by_old_rows(old, new.ids, h) for h in new.states.histories[:MAX_STATES]]
    inputs = history_inputs(known, new.states.now_s, old.history_length)
    inputs["item_vectors"] = item_vectors(inputs["item_rows"], old.catalogue.vectors)
    asked_old = old.tower.run({name: inputs[name] for name in old.tower.input_names})
    asked_new = new.answers[: len(known)]
    return {
        "with": old.name,
        "old_tower_new_index": _recall(asked_old, asked_new, ExactIndex(new.vectors)),
        "new_tower_old_index": _recall(asked_new, asked_old, old.exact),
    }


def _by_old_rows(old: Release, ids: Sequence[str], history: History) -> History:
    rows = old.catalogue.rows_of([ids[row] for row in history.rows])
    known = rows >= 0
    return History(rows[known], history.action_types[known], history.at_s[known])


def _recall(asked: Vectors, right: Vectors, exact: ItemIndex) -> float:
    def nearest(vectors: Vectors) -> Rows:
        return np.array([exact.search(vector, DEPTH)[0] for vector in vectors])

    return round(overlap(nearest(asked), nearest(right)), 4)

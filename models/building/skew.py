"""How bad a mix of two releases would be, and how much a new one changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.building.baseline import Asked
from service.domain.arrays import Rows, Vectors
from service.indexes.exact import ExactIndex
from service.ports.serving import Release
from service.releases.probes import DEPTH, overlap
from service.towers.features import History, history_inputs, item_vectors
from service.towers.onnx import OnnxUserTower

MAX_STATES = 200
MAX_ITEMS = 200
SEED = 11


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
    """Compares a release with the one before it, on exact neighbours.

    Returns:
        `with`: the old release's name; `same_item_neighbours`: share of the 100 items nearest to
        an item that stay the same, over items that both know. Where the old tower can be asked:
        `same_user_neighbours`, the same for users, and what a mixed roll-out would find of the
        right 100 items, `old_tower_new_index` and `new_tower_old_index` (absent where the
        dimensions differ: no service can mix those).
    """
    everything = np.arange(len(old.catalogue))
    exact_old = ExactIndex(old.catalogue.vectors[everything])
    exact_new = ExactIndex(new.vectors)
    new_rows = _new_rows(old, new.ids)
    items = np.random.default_rng(SEED).permutation(np.flatnonzero(new_rows >= 0))[:MAX_ITEMS]
    found: dict[str, object] = {"with": old.name}
    if len(items):
        before = new_rows[exact_old.search_all(old.catalogue.vectors[items], DEPTH)]
        after = exact_new.search_all(new.vectors[new_rows[items]], DEPTH)
        found["same_item_neighbours"] = _same(before, after)
    asked_old = _ask(old, new)
    if asked_old is None:
        return found
    asked_new = new.answers[: len(asked_old)]
    right_old = exact_old.search_all(asked_old, DEPTH)
    right_new = exact_new.search_all(asked_new, DEPTH)
    found["same_user_neighbours"] = _same(new_rows[right_old], right_new)
    if asked_old.shape[1] == asked_new.shape[1]:
        found["old_tower_new_index"] = _recall(exact_new, asked_old, right_new)
        found["new_tower_old_index"] = _recall(exact_old, asked_new, right_old)
    return found


def in_words(found: Mapping[str, object]) -> Iterator[str]:
    """What `skew` found, for a person to read."""
    shares = {name: f"{share:.1%}" for name, share in found.items() if isinstance(share, float)}
    if "old_tower_new_index" in shares:
        yield (
            f"mixed with {found['with']}, answers would hold {shares['old_tower_new_index']} of "
            f"the right 100 items (old tower, new index) or {shares['new_tower_old_index']} "
            "(new tower, old index)"
        )
    if "same_item_neighbours" in shares:
        users = shares.get("same_user_neighbours")
        yield (
            f"since {found['with']}, {shares['same_item_neighbours']} of the 100 neighbours of an "
            "item stayed the same" + (f", {users} of those of a user" if users else "")
        )


def _ask(old: Release, new: Answered) -> Vectors | None:
    """What the old tower says to the states, float32 [q, dim]; None if it cannot be asked."""
    known = [_by_old_rows(old, new.ids, h) for h in new.states.histories[:MAX_STATES]]
    inputs = history_inputs(known, new.states.now_s, old.history_length)
    inputs["item_vectors"] = item_vectors(inputs["item_rows"], old.catalogue.vectors)
    if not isinstance(old.tower, OnnxUserTower) or set(old.tower.input_names) - set(inputs):
        return None
    return old.tower.run({name: inputs[name] for name in old.tower.input_names})


def _new_rows(old: Release, ids: Sequence[str]) -> Rows:
    """The new row of each old one, int64 [old items]; -1 where the item is gone."""
    rows = {item_id: row for row, item_id in enumerate(ids)}
    return np.array([rows.get(item_id, -1) for item_id in old.catalogue.item_ids], dtype=np.int64)


def _by_old_rows(old: Release, ids: Sequence[str], history: History) -> History:
    rows = old.catalogue.rows_of([ids[row] for row in history.rows])
    known = rows >= 0
    return History(rows[known], history.action_types[known], history.at_s[known])


def _same(before: Rows, after: Rows) -> float:
    """Mean share of `after` [q, m] that is in `before` [q, m], both new rows."""
    pairs = zip(before, after, strict=True)
    return round(float(np.mean([np.isin(new, old).mean() for old, new in pairs])), 4)


def _recall(exact: ExactIndex, asked: Vectors, right: Rows) -> float:
    return round(overlap(exact.search_all(asked, DEPTH), right), 4)

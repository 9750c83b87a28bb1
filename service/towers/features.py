"""What a user tower sees of a session, as arrays: one code for training and serving."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import maxsize

import numpy as np
from numpy.typing import NDArray

from service.domain.actions import ACTIONS, NEGATIVE, STRENGTH
from service.domain.arrays import NO_ROWS, NO_TIMES, Rows, Times, Vectors
from service.domain.sessions import Session
from service.ports.serving import Catalogue, ItemVectors

Inputs = dict[str, NDArray]  # type: ignore[type-arg]

DAY_S = 86_400.0
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


@dataclass(frozen=True, slots=True)
class History:
    """Actions of one person on items of the catalogue, oldest first.

    Attributes:
        rows: catalogue rows, int64 [n], never negative: drop unknown items before.
        action_types: positions in the manifest's `actions`, int64 [n].
        at_s: epoch seconds, float64 [n].
    """

    rows: Rows = field(default_factory=lambda: NO_ROWS)
    action_types: Rows = field(default_factory=lambda: NO_ROWS)
    at_s: Times = field(default_factory=lambda: NO_TIMES)

    def __len__(self) -> int:
        return len(self.rows)


def history_inputs(histories: Sequence[History], now_s: Times, length: int) -> Inputs:
    """Pad histories on the left, so that the newest action is always in the last column.

    Args:
        histories: [B]; of a longer one the newest `length` actions are kept.
        now_s: epoch seconds of each request, float64 [B].
        length: H, the `history_length` of the manifest.

    Returns:
        `item_rows` int64 [B, H], row + 1; `action_types` int64 [B, H], position + 1; `ages_s`
        float32 [B, H], never negative; `history_length` int64 [B]. 0 where padded.
    """
    shape = (len(histories), length)
    item_rows = np.zeros(shape, dtype=np.int64)
    action_types = np.zeros(shape, dtype=np.int64)
    ages_s = np.zeros(shape, dtype=np.float32)
    real = np.zeros(shape[0], dtype=np.int64)
    for i, history in enumerate(histories):
        n = min(len(history.rows), length)
        if not n:
            continue
        real[i] = n
        np.add(history.rows[-n:], 1, out=item_rows[i, -n:])
        np.add(history.action_types[-n:], 1, out=action_types[i, -n:])
        ages_s[i, -n:] = np.maximum(now_s[i] - history.at_s[-n:], 0.0)
    return {
        "item_rows": item_rows,
        "action_types": action_types,
        "ages_s": ages_s,
        "history_length": real,
    }


def item_vectors(item_rows: Rows, vectors: ItemVectors) -> Vectors:
    """Look up the vectors of a batch of histories.

    Args:
        item_rows: int64 [B, H] as `history_inputs` gives them.
        vectors: the item vectors by catalogue row, float32 [n_items, dim].

    Returns:
        float32 [B, H, dim]; zeros where padded.
    """
    found = vectors[item_rows - 1]  # padding wraps to the last row ...
    padded = item_rows == 0
    if padded.any():
        found[padded] = 0.0  # ... and is wiped
    return found


def context_features(now_s: Times) -> NDArray[np.float32]:
    """Hour of day and day of week (UTC) as sine and cosine each, float32 [B, 4].

    The hour runs on within the day; the day of the week is a whole number, Monday = 0.
    """
    now_s = np.asarray(now_s, dtype=np.float64)
    hour = (now_s % DAY_S) / DAY_S
    weekday = ((now_s // DAY_S + EPOCH_WEEKDAY) % 7.0) / 7.0
    angles = 2.0 * np.pi * np.stack((hour, weekday), axis=-1)
    waves = np.stack((np.sin(angles), np.cos(angles)), axis=-1)
    return waves.reshape(len(now_s), 4).astype(np.float32)


def interest_inputs(numbers: Sequence[Sequence[int]], width: int) -> Rows:
    """Declared interests as category number + 1, int64 [B, width], 0 = padding, first ones kept."""
    rows = np.zeros((len(numbers), width), dtype=np.int64)
    for i, categories in enumerate(numbers):
        kept = categories[:width]
        rows[i, : len(kept)] = np.asarray(kept, dtype=np.int64) + 1
    return rows


def translate_actions(actions: Sequence[str]) -> Rows:
    """Where each type of `ACTIONS` stands in a manifest's `actions`, int64 [len(ACTIONS)].

    A type that the tower does not know is told to it as the known one of its sign that is
    nearest in strength; -1 (the action is left out) where it knows none of that sign.
    """
    return np.array([_nearest(name, actions) for name in ACTIONS], dtype=np.int64)


def _nearest(name: str, actions: Sequence[str]) -> int:
    if name in actions:
        return list(actions).index(name)
    same_sign = [
        i
        for i, known in enumerate(actions)
        if known in STRENGTH and (known in NEGATIVE) == (name in NEGATIVE)
    ]
    return min(same_sign, key=lambda i: abs(STRENGTH[actions[i]] - STRENGTH[name]), default=-1)


def history_of(session: Session, catalogue: Catalogue, translation: Rows) -> History:
    """The part of a session that the tower can understand.

    Actions on items that the catalogue does not know, or of a type that `translation` (see
    `translate_actions`) leaves out, are dropped before anything is cut off.
    """
    if not session.item_ids:
        return History()
    rows = catalogue.rows_of(session.item_ids)
    types = translation[session.action_types]
    known = (rows >= 0) & (types >= 0)
    if known.all():
        return History(rows, types, session.at_s)
    return History(rows[known], types[known], session.at_s[known])


USER_FEATURES = ("log1p_interactions", "log1p_signal_age_s", "actions", "interests")
"""Profile features that the service can compute; a manifest names and orders those it wants."""


def user_features(session: Session, names: Sequence[str], now_s: float) -> NDArray[np.float32]:
    """The named profile features of one session, float32 [1, F], always finite.

    `log1p_interactions` of actions ever counted; `log1p_signal_age_s` since the newest action, 0
    without any; `actions` in the session; `interests` declared.
    """
    values = {
        "log1p_interactions": np.log1p(max(0, session.n_interactions)),
        "log1p_signal_age_s": np.log1p(session.age_s(now_s) or 0.0),
        "actions": len(session.item_ids),
        "interests": len(session.interests),
    }
    row = np.array([[values[name] for name in names]], dtype=np.float32)
    return np.nan_to_num(row, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, slots=True)
class ServingInputs:
    """Builds what one tower declares, for one session at a time.

    Attributes:
        declared: names of the tower's inputs.
        history_length: H.
        translation: see `translate_actions`.
        category_numbers: category name -> number, for declared interests.
        interest_width: C of `interest_rows`.
        user_feature_names: the manifest's names, in its order.
        n_items: rows that the tower knows; what arrived later is unknown to `item_rows`.
    """

    declared: frozenset[str]
    history_length: int
    translation: Rows
    category_numbers: dict[str, int] = field(default_factory=dict)
    interest_width: int = 8
    user_feature_names: tuple[str, ...] = ()
    n_items: int = maxsize

    def of(self, session: Session, catalogue: Catalogue, now_s: float) -> Inputs:
        """The declared inputs for a batch of one; see `service.towers.inputs` for the table."""
        now = np.array([now_s])
        history = history_of(session, catalogue, self.translation)
        inputs = history_inputs((history,), now, self.history_length)
        if "item_vectors" in self.declared:
            inputs["item_vectors"] = item_vectors(inputs["item_rows"], catalogue.vectors)
        if "item_rows" in self.declared:
            inputs["item_rows"][inputs["item_rows"] > self.n_items] = 0
        if "interest_rows" in self.declared:
            inputs["interest_rows"] = interest_inputs(
                (self._interests(session),), self.interest_width
            )
        if "user_features" in self.declared:
            inputs["user_features"] = user_features(session, self.user_feature_names, now_s)
        if "context" in self.declared:
            inputs["context"] = context_features(now)
        return {name: array for name, array in inputs.items() if name in self.declared}

    def _interests(self, session: Session) -> list[int]:
        known = self.category_numbers
        return [known[name] for name in session.interests if name in known]

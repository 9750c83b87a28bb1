"""What a tower sees of a session."""

import numpy as np
import pytest

from service.domain.actions import ACTIONS
from service.domain.sessions import Session
from service.towers.features import (
    History,
    ServingInputs,
    context_features,
    history_inputs,
    history_of,
    interest_inputs,
    item_vectors,
    translate_actions,
    user_features,
)
from tests.factories import DIM, NOW_S, make_catalogue, make_session

NOW = np.array([NOW_S])


def history(rows: list[int], ago_s: list[float]) -> History:
    types = np.arange(len(rows)) % len(ACTIONS)
    return History(np.array(rows, dtype=np.int64), types, NOW_S - np.array(ago_s))


def test_histories_are_padded_on_the_left_with_the_newest_action_last() -> None:
    inputs = history_inputs([history([7, 3], [90.0, 30.0])], NOW, 4)
    assert inputs["item_rows"].tolist() == [[0, 0, 8, 4]]
    assert inputs["action_types"].tolist() == [[0, 0, 1, 2]]
    assert inputs["ages_s"].tolist() == [[0.0, 0.0, 90.0, 30.0]]
    assert inputs["history_length"].tolist() == [2]


def test_a_longer_history_keeps_its_newest_actions() -> None:
    inputs = history_inputs([history([1, 2, 3, 4], [40.0, 30.0, 20.0, 10.0])], NOW, 2)
    assert inputs["item_rows"].tolist() == [[4, 5]]
    assert inputs["history_length"].tolist() == [2]


def test_an_empty_history_is_all_zeros() -> None:
    inputs = history_inputs([History()], NOW, 3)
    assert not any(array.any() for array in inputs.values())


def test_element_types_are_those_of_the_contract() -> None:
    inputs = history_inputs([history([1], [1.0])], NOW, 3)
    found = {name: str(array.dtype) for name, array in inputs.items()}
    assert found == {
        "item_rows": "int64",
        "action_types": "int64",
        "ages_s": "float32",
        "history_length": "int64",
    }


def test_an_action_in_the_future_has_age_zero() -> None:
    assert history_inputs([history([1], [-50.0])], NOW, 1)["ages_s"].tolist() == [[0.0]]


def test_each_history_of_a_batch_has_its_own_clock() -> None:
    both = [history([1], [10.0]), history([1], [10.0])]
    ages = history_inputs(both, np.array([NOW_S, NOW_S + 5.0]), 1)["ages_s"]
    assert ages.tolist() == [[10.0], [15.0]]


def test_item_vectors_are_looked_up_and_zero_where_padded() -> None:
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2) + 1.0
    found = item_vectors(np.array([[0, 1], [4, 2]]), vectors)
    assert found.tolist() == [[[0.0, 0.0], [1.0, 2.0]], [[7.0, 8.0], [3.0, 4.0]]]


def test_actions_on_unknown_items_are_dropped_before_anything_is_cut_off() -> None:
    session = make_session(("i1", "view", 30.0), ("i2", "view", 20.0), ("gone", "view", 10.0))
    known = history_of(session, make_catalogue(), translate_actions(ACTIONS))
    assert known.rows.tolist() == [1, 2]
    assert history_inputs([known], NOW, 2)["item_rows"].tolist() == [[2, 3]]


def test_unknown_action_types_become_the_nearest_of_their_sign() -> None:
    assert translate_actions(ACTIONS).tolist() == list(range(len(ACTIONS)))
    assert translate_actions(["view", "purchase"]).tolist() == [1, 1, 0, 0, -1, -1]
    assert translate_actions(["dislike", "purchase"]).tolist() == [1, 1, 1, 1, 0, 0]


def test_an_action_that_the_tower_cannot_understand_is_left_out() -> None:
    session = make_session(("i1", "view"), ("i2", "return"))
    assert history_of(session, make_catalogue(), translate_actions(["view"])).rows.tolist() == [1]


@pytest.mark.parametrize(
    ("at_s", "waves"),
    [
        (0.0, [0.0, 1.0, np.sin(6 * np.pi / 7), np.cos(6 * np.pi / 7)]),  # Thursday, midnight
        (4 * 86_400.0 + 21_600.0, [1.0, 0.0, 0.0, 1.0]),  # Monday, six in the morning
    ],
)
def test_hour_and_weekday_are_points_on_a_circle(at_s: float, waves: list[float]) -> None:
    assert context_features(np.array([at_s])) == pytest.approx(np.array([waves]), abs=1e-6)


def test_interests_are_category_numbers_from_one_padded_on_the_right() -> None:
    assert interest_inputs([[3, 0], [1, 2, 4]], 2).tolist() == [[4, 1], [2, 3]]


def test_profile_features_are_finite_for_somebody_unknown() -> None:
    names = ("log1p_interactions", "log1p_signal_age_s", "actions", "interests")
    assert user_features(Session(), names, NOW_S).tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_only_declared_inputs_are_built() -> None:
    serving = ServingInputs(frozenset({"item_vectors", "context"}), 3, translate_actions(ACTIONS))
    inputs = serving.of(make_session(("i1", "click")), make_catalogue(), NOW_S)
    assert {name: array.shape for name, array in inputs.items()} == {
        "item_vectors": (1, 3, DIM),
        "context": (1, 4),
    }


def test_declared_interests_reach_the_tower_by_category_number() -> None:
    serving = ServingInputs(
        frozenset({"interest_rows", "user_features"}),
        3,
        translate_actions(ACTIONS),
        category_numbers={"toys": 0, "books": 1},
        interest_width=3,
        user_feature_names=("interests",),
    )
    session = make_session(interests=("books", "unheard of"))
    inputs = serving.of(session, make_catalogue(), NOW_S)
    assert inputs["interest_rows"].tolist() == [[2, 0, 0]]
    assert inputs["user_features"].tolist() == [[2.0]]

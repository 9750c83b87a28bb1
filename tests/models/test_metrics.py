"""Measures against tables small enough to check by eye, and intervals that behave."""

import math

import numpy as np
import pytest

from models.evaluation.metrics import Judged, UserBootstrap, coverage, gini, judge, ranked

LISTS = np.array(
    [
        [0, 1, 2, 3],  # targets 1, 3: hits at places 2 and 4
        [3, 2, 1, 0],  # target 3: a hit at place 1
        [0, 1, 2, 3],  # targets 5, 6, 7: none
    ],
    dtype=np.int32,
)
TARGETS = [np.array([1, 3]), np.array([3]), np.array([5, 6, 7])]


@pytest.fixture
def judged() -> Judged:
    return judge(LISTS, TARGETS)


def test_hits_are_marked_where_the_targets_stand(judged: Judged) -> None:
    assert judged.hits.tolist() == [
        [False, True, False, True],
        [True, False, False, False],
        [False, False, False, False],
    ]
    assert judged.n_targets.tolist() == [2, 1, 3]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("recall@1", [0, 1, 0]),  # one place: at most one target counts
        ("recall@2", [1 / 2, 1, 0]),
        ("recall@4", [1, 1, 0]),
        ("recall@100", [1, 1, 0]),
        ("map@4", [(1 / 2 + 2 / 4) / 2, 1, 0]),
        ("map@3", [(1 / 2) / 2, 1, 0]),
        (
            "ndcg@4",
            [
                (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3)),
                1,
                0,
            ],
        ),
        ("ndcg@1", [0, 1, 0]),
    ],
)
def test_measures_agree_with_the_hand(judged: Judged, name: str, values: list[float]) -> None:
    assert judged.measure(name) == pytest.approx(values)


def test_a_list_is_sorted_by_score_and_equal_scores_by_row() -> None:
    scores = np.array([[0.5, 2.0, -1.0, 2.0, 0.0, -0.0]], np.float32)
    assert ranked(scores).tolist() == [[1, 3, 0, 4, 5, 2]]
    assert ranked(scores, 2).tolist() == [[1, 3]]


def test_hidden_items_come_last() -> None:
    scores = np.array([[-np.inf, -5.0, 1.0]], np.float32)
    assert ranked(scores).tolist() == [[2, 1, 0]]


def test_ranking_agrees_with_a_full_sort() -> None:
    scores = np.random.default_rng(1).normal(size=(20, 300)).astype(np.float32)
    assert (ranked(scores, 50) == np.argsort(-scores, axis=1, kind="stable")[:, :50]).all()


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        ranked(np.array([[0.0, np.nan]], np.float32))


def test_coverage_counts_items_shown_at_least_once() -> None:
    assert coverage(LISTS, 8, 4) == 4 / 8
    assert coverage(LISTS, 8, 1) == 2 / 8


def test_gini_is_zero_when_all_items_are_shown_alike_and_high_when_one_is() -> None:
    even = np.array([[0, 1], [2, 3]], np.int32)
    one = np.array([[2], [2], [2]], np.int32)
    assert gini(even, 4, 2) == pytest.approx(0.0)
    assert gini(one, 4, 1) == pytest.approx(3 / 4)
    assert gini(even, 8, 2) == pytest.approx(1 / 2)  # half of the catalogue is never shown


USERS = np.repeat(np.arange(50, dtype=np.int32), 3)


def test_an_interval_holds_the_mean_and_shrinks_with_more_users() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=150)
    few, many = UserBootstrap(USERS, 1), UserBootstrap(np.arange(15_000, dtype=np.int32), 1, 200)
    narrow = many.estimate(rng.normal(size=15_000))
    wide = few.estimate(values)
    assert wide.low < wide.value < wide.high
    assert wide.value == pytest.approx(values.mean())
    assert narrow.high - narrow.low < (wide.high - wide.low) / 3


def test_cases_of_one_user_are_not_independent() -> None:
    by_user = np.random.default_rng(3).normal(size=50)
    values = by_user[USERS]  # three equal cases per user say no more than one
    together = UserBootstrap(USERS, 1).estimate(values)
    apart = UserBootstrap(np.arange(150, dtype=np.int32), 1).estimate(values)
    assert together.high - together.low > 1.4 * (apart.high - apart.low)


def test_a_paired_difference_ignores_what_both_share() -> None:
    draws = UserBootstrap(USERS, 1)
    shared = np.random.default_rng(4).normal(size=150)
    gain = draws.difference(shared + 0.01, shared)
    assert gain.low == pytest.approx(0.01, abs=1e-6)
    assert gain.high == pytest.approx(0.01, abs=1e-6)
    alone = draws.estimate(shared)
    assert alone.high - alone.low > 0.1


def test_the_same_seed_draws_the_same_intervals() -> None:
    values = np.random.default_rng(5).normal(size=150)
    assert UserBootstrap(USERS, 7).estimate(values) == UserBootstrap(USERS, 7).estimate(values)
    assert UserBootstrap(USERS, 7).estimate(values) != UserBootstrap(USERS, 8).estimate(values)

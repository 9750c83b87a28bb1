"""Popularity: what it counts beside what is known."""

import numpy as np
import pytest

from service.domain.popularity import by_interest, sparse_weight, with_popularity


def test_the_weight_falls_evenly_to_nothing() -> None:
    assert [sparse_weight(n, 0.5, 5) for n in range(7)] == pytest.approx(
        [0.5, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0]
    )


def test_the_most_popular_item_gets_the_whole_weight() -> None:
    scores = np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]], dtype=np.float32)
    popularity = np.array([0.02, 0.01, 0.0], dtype=np.float32)
    found = with_popularity(scores, popularity, 0.4)
    assert found == pytest.approx(np.array([[0.5, 0.4, 0.3], [0.4, 0.2, 0.0]]))
    assert found.dtype == np.float32


def test_where_nothing_is_popular_the_scores_stay() -> None:
    scores = np.array([0.1, 0.2], dtype=np.float32)
    assert (with_popularity(scores, np.zeros(2, dtype=np.float32), 0.4) == scores).all()


def test_liked_items_move_up_and_nothing_is_lost_or_repeated() -> None:
    popularity = np.array([0.5, 0.4, 0.3, 0.21, 0.1], dtype=np.float32)
    everything, liked = np.array([0, 1, 2]), [np.array([3, 4]), np.array([2])]
    assert by_interest(everything, liked, popularity).tolist() == [2, 0, 3, 1, 4]
    assert by_interest(everything, liked, popularity, weight=1.0).tolist() == [0, 1, 2, 3, 4]


def test_without_a_liked_item_there_is_no_list() -> None:
    popularity = np.ones(3, dtype=np.float32)
    assert len(by_interest(np.arange(3), [], popularity)) == 0
    assert len(by_interest(np.arange(3), [np.empty(0, dtype=np.int64)], popularity)) == 0

"""Exact search among some of the items."""

import numpy as np
import pytest

from service.errors import IndexUnavailable
from service.indexes.exact import ExactIndex

VECTORS = np.eye(5, dtype=np.float32)
QUERY = np.array([0.1, 0.2, 0.3, 0.4, 0.5], dtype=np.float32)


@pytest.mark.parametrize("rows", [[1, 2, 3], [3, 1, 2], [1, 3]])
def test_only_the_given_rows_are_looked_at(rows: list[int]) -> None:
    found, scores = ExactIndex(VECTORS).search_among(np.array(rows), QUERY, 2)
    assert found.tolist() == sorted(rows, reverse=True)[:2]
    assert scores.tolist() == QUERY[found].tolist()


def test_nothing_among_nothing() -> None:
    found, scores = ExactIndex(VECTORS).search_among(np.array([], dtype=np.int64), QUERY, 3)
    assert len(found) == len(scores) == 0


def test_equal_scores_stand_in_row_order() -> None:
    query = np.ones(5, dtype=np.float32)
    assert ExactIndex(VECTORS).search(query, 3)[0].tolist() == [0, 1, 2]
    assert ExactIndex(VECTORS).search_among(np.array([4, 2, 3]), query, 3)[0].tolist() == [4, 2, 3]


def test_a_bad_query_is_an_error_there_too() -> None:
    with pytest.raises(IndexUnavailable):
        ExactIndex(VECTORS).search_among(np.array([1]), QUERY[:3], 1)

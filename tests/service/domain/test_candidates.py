"""Candidates: the one value that flows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.candidates import Candidates
from service.domain.sources import Source
from tests.factories import make_candidates

distinct_rows = st.lists(st.integers(0, 50), unique=True, max_size=20)


def test_then_appends_only_rows_that_are_not_there_yet() -> None:
    first = make_candidates(3, 1, source=Source.ANN)
    second = make_candidates(1, 2, source=Source.POPULAR)
    both = first.then(second)
    assert both.rows.tolist() == [3, 1, 2]
    assert both.sources.tolist() == [Source.ANN, Source.ANN, Source.POPULAR]


def test_by_score_sorts_best_first_and_keeps_ties_in_order() -> None:
    scores = np.array([0.1, 0.9, 0.1], dtype=np.float32)
    found = Candidates.of(np.array([4, 5, 6]), scores, Source.ANN)
    assert found.by_score().rows.tolist() == [5, 4, 6]


def test_a_source_without_scores_gives_none() -> None:
    assert np.isnan(Candidates.of(np.array([1]), None, Source.POPULAR).scores).all()


@given(distinct_rows, distinct_rows)
def test_then_never_repeats_a_row_and_loses_none(first: list[int], second: list[int]) -> None:
    both = make_candidates(*first).then(make_candidates(*second)).rows.tolist()
    assert len(both) == len(set(both))
    assert set(both) == set(first) | set(second)
    assert both[: len(first)] == first


@given(distinct_rows, st.data())
def test_keep_only_removes(rows: list[int], data: st.DataObject) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    kept = make_candidates(*rows).keep(mask.astype(bool)).rows.tolist()
    assert kept == [row for row, keep in zip(rows, mask, strict=True) if keep]


@given(st.integers(1, 30), st.data())
def test_what_is_moved_stands_where_it_was_told_and_the_others_keep_their_order(
    n: int, data: st.DataObject
) -> None:
    some = st.permutations(range(n)).map(lambda order: order[: n // 2])
    positions, places = data.draw(some), data.draw(some)
    found = make_candidates(*range(n)).move(np.array(positions, int), np.array(places, int))
    assert found.rows[places].tolist() == positions
    assert np.delete(found.rows, places).tolist() == sorted(set(range(n)) - set(positions))

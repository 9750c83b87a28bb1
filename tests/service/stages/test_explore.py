"""Explore: little-known items move up, and the chance of each draw is exact."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.candidates import Candidates
from service.domain.sources import Source
from service.domain.traces import Trace
from service.stages.explore import DAY_S, Explore
from tests.factories import make_candidates, make_catalogue, make_query, make_release

RELEASE = make_release(make_catalogue(40))
CHI_SQUARE_999 = 39.25
"""p = 0.001 at 16 degrees of freedom: 20 items in 4 pools."""
FOUND = make_candidates(*range(40))  # rows 20..39 are below the median popularity


def explored(found: Candidates) -> list[int]:
    return [int(row) for row in found.rows[found.sources == Source.EXPLORATION]]


def test_explored_items_are_little_known_and_within_the_list() -> None:
    found = Explore(0.2)(FOUND, make_query(RELEASE, k=10), RELEASE, Trace("t"))
    assert len(explored(found)) == 2
    assert min(explored(found)) >= 20
    assert set(explored(found)) <= set(found.rows[:10].tolist())
    assert sorted(found.rows) == list(range(40))


@given(st.integers(1, 19), st.floats(0.0, 1.0))
def test_every_draw_is_within_the_list(k: int, share: float) -> None:
    trace = Trace("t")
    found = Explore(share)(FOUND, make_query(RELEASE, k=k), RELEASE, trace)
    assert explored(found) == explored(found.head(k)) == [draw.row for draw in trace.draws]
    known = found.rows[found.sources != Source.EXPLORATION].tolist()
    assert known == sorted(known)


def test_the_same_person_sees_the_same_draw_all_day() -> None:
    query = make_query(RELEASE, k=10)
    later = replace(query, now_s=query.now_s - query.now_s % DAY_S + DAY_S - 1)
    draws = [explored(Explore(0.2)(FOUND, q, RELEASE, Trace("t"))) for q in (query, query, later)]
    assert draws[0] == draws[1] == draws[2]


def test_people_and_days_draw_differently() -> None:
    query = make_query(RELEASE, k=10)
    draws = {
        tuple(explored(Explore(0.2)(FOUND, replace(query, user=f"u:{i}"), RELEASE, Trace("t"))))
        for i in range(20)
    }
    assert len(draws) > 5


def test_zero_share_explores_nothing() -> None:
    found = Explore(0.2)(FOUND, make_query(RELEASE, k=10, explore=0.0), RELEASE, Trace("t"))
    assert found is FOUND


def test_each_draw_tells_its_pool_and_the_pools_of_one_list_share_nothing() -> None:
    trace = Trace("t")
    found = Explore(0.2)(FOUND, make_query(RELEASE, k=10), RELEASE, trace)
    assert sorted(draw.row for draw in trace.draws) == sorted(explored(found))
    pools = [set(draw.pool.tolist()) for draw in trace.draws]
    assert all(draw.row in pool for draw, pool in zip(trace.draws, pools, strict=True))
    assert all(draw.propensity == 1 / len(draw.pool) for draw in trace.draws)
    assert pools[0] & pools[1] == set()


def test_a_million_draws_happen_as_often_as_logged() -> None:
    """Chi-square over 250,000 lists of four sure slots, five items to draw from for each."""
    query, n_lists, n_slots = make_query(RELEASE, k=20, explore=0.2), 250_000, 4
    explore = Explore(0.2)
    shown = np.zeros(40)
    for i in range(n_lists):
        trace = Trace("t")
        explore(FOUND, replace(query, user=f"u:{i}"), RELEASE, trace)
        for draw in trace.draws:
            shown[draw.row] += 1
    expected = n_lists * n_slots / 20
    assert shown.sum() == n_lists * n_slots
    statistic = float(((shown[20:] - expected) ** 2 / expected).sum())
    assert statistic < CHI_SQUARE_999, statistic


def test_the_logged_propensity_is_the_frequency_of_the_draw() -> None:
    """k = 6 at 25 %: one sure slot and a second one half of the time; 10,000 people."""
    n = 10_000
    shown: dict[int, int] = {}
    logged: dict[int, float] = {}
    query = make_query(RELEASE, k=6)
    for i in range(n):
        found = Explore(0.25)(FOUND, replace(query, user=f"u:{i}"), RELEASE, Trace("t"))
        for position in np.flatnonzero(found.sources == Source.EXPLORATION):
            row = int(found.rows[position])
            shown[row] = shown.get(row, 0) + 1
            logged[row] = float(found.propensities[position])
    assert len(shown) == 20
    for row, count in shown.items():
        spread = math.sqrt(logged[row] * (1 - logged[row]) / n)
        assert abs(count / n - logged[row]) < 4.5 * spread

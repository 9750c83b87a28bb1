"""Explore: little-known items move up, and the chance of each draw is exact."""

import math
from dataclasses import replace

import numpy as np

from service.domain.candidates import Candidates
from service.domain.sources import Source
from service.stages.explore import DAY_S, Explore
from tests.factories import make_candidates, make_catalogue, make_query, make_release

RELEASE = make_release(make_catalogue(40))
FOUND = make_candidates(*range(40))  # rows 20..39 are below the median popularity


def explored(found: Candidates) -> list[int]:
    return [int(row) for row in found.rows[found.sources == Source.EXPLORATION]]


def test_explored_items_are_little_known_and_within_the_list() -> None:
    found = Explore(0.2)(FOUND, make_query(RELEASE, k=10), RELEASE)
    assert len(explored(found)) == 2
    assert min(explored(found)) >= 20
    assert set(explored(found)) <= set(found.rows[:10].tolist())
    assert sorted(found.rows) == list(range(40))


def test_the_same_person_sees_the_same_draw_all_day() -> None:
    query = make_query(RELEASE, k=10)
    later = replace(query, now_s=query.now_s - query.now_s % DAY_S + DAY_S - 1)
    draws = [explored(Explore(0.2)(FOUND, q, RELEASE)) for q in (query, query, later)]
    assert draws[0] == draws[1] == draws[2]


def test_people_and_days_draw_differently() -> None:
    query = make_query(RELEASE, k=10)
    draws = {
        tuple(explored(Explore(0.2)(FOUND, replace(query, user=f"u:{i}"), RELEASE)))
        for i in range(20)
    }
    assert len(draws) > 5


def test_zero_share_explores_nothing() -> None:
    found = Explore(0.2)(FOUND, make_query(RELEASE, k=10, explore=0.0), RELEASE)
    assert found is FOUND


def test_the_logged_propensity_is_the_frequency_of_the_draw() -> None:
    """k = 6 at 25 %: one sure slot and a second one half of the time; 10,000 people."""
    n = 10_000
    shown: dict[int, int] = {}
    logged: dict[int, float] = {}
    query = make_query(RELEASE, k=6)
    for i in range(n):
        found = Explore(0.25)(FOUND, replace(query, user=f"u:{i}"), RELEASE)
        for position in np.flatnonzero(found.sources == Source.EXPLORATION):
            row = int(found.rows[position])
            shown[row] = shown.get(row, 0) + 1
            logged[row] = float(found.propensities[position])
    assert len(shown) == 20
    for row, count in shown.items():
        spread = math.sqrt(logged[row] * (1 - logged[row]) / n)
        assert abs(count / n - logged[row]) < 4.5 * spread

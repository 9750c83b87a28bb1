"""Diversify: caps hold where there is a choice, and never shorten the list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.sources import Source
from service.stages.diversify import Diversify
from tests.factories import (
    category_filter,
    make_candidates,
    make_catalogue,
    make_query,
    make_release,
)

diversify = Diversify(category_share=0.4, seller_top10=3, again_share=0.5)


def test_a_category_takes_at_most_its_share() -> None:
    release = make_release(make_catalogue(40))
    toys_first = make_candidates(*range(0, 40, 2), *range(1, 40, 2))
    found = diversify(toys_first, make_query(release, k=10), release)
    top = release.catalogue.categories[found.rows[:10]].tolist()
    assert top.count(0) >= 4  # two categories cannot both stay under 40 %: the rest fills up
    assert found.rows[:5].tolist() == [0, 2, 4, 6, 1]


def test_a_short_choice_is_not_made_shorter() -> None:
    release = make_release(make_catalogue(40))
    toys_only = make_candidates(*range(0, 40, 2))
    found = diversify(toys_only, make_query(release, k=10), release)
    assert found.rows.tolist() == toys_only.rows.tolist()


def test_asking_for_a_category_lifts_its_cap() -> None:
    release = make_release(make_catalogue(40))
    found = make_candidates(*range(0, 40, 2), *range(1, 40, 2))
    query = make_query(release, k=10, filters=category_filter("toys"))
    assert diversify(found, query, release).rows[:10].tolist() == list(range(0, 20, 2))


def test_a_seller_has_three_places_in_the_first_ten() -> None:
    sellers = np.array([0] * 12 + [-1] * 28, dtype=np.int32)
    release = make_release(make_catalogue(40, sellers=sellers))
    query = make_query(release, k=20, filters=category_filter("toys"))
    found = diversify(make_candidates(*range(40)), query, release)
    top = found.rows.tolist()
    assert [row for row in top[:10] if row < 12] == [0, 1, 2]
    assert top[10:19] == [3, 4, 5, 6, 7, 8, 9, 10, 11]  # they come back after the tenth place


def test_own_items_take_at_most_half_of_the_list() -> None:
    release = make_release(make_catalogue(40))
    own_first = make_candidates(*range(10), source=Source.AGAIN).then(make_candidates(*range(40)))
    query = make_query(release, k=8, filters=category_filter("toys"))
    assert diversify(own_first, query, release).rows[:8].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]


@given(st.permutations(range(12)), st.integers(1, 12))
def test_diversify_only_reorders(rows: list[int], k: int) -> None:
    release = make_release(make_catalogue(12))
    found = diversify(make_candidates(*rows), make_query(release, k=k), release)
    assert sorted(found.rows.tolist()) == sorted(rows)

"""Diversify: caps hold where there is a choice, and never shorten the list."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.candidates import Candidates
from service.domain.sources import Source
from service.ports.serving import Release
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


def by_hand(found: Candidates, k: int, release: Release) -> list[int]:
    """Rows place by place: the first that no cap forbids, down all of the list each time."""
    catalogue, rows = release.catalogue, found.rows.tolist()
    own = dict(zip(rows, (found.sources == Source.AGAIN).tolist(), strict=True))
    free = dict(zip(rows, (found.sources == Source.EXPLORATION).tolist(), strict=True))
    chosen: list[int] = []

    def fits(row: int, per_seller: int) -> bool:
        seller, category = catalogue.sellers[row], catalogue.categories[row]
        sellers = Counter(catalogue.sellers[chosen].tolist())
        categories = Counter(catalogue.categories[chosen].tolist())
        return free[row] or (
            (seller < 0 or sellers[seller] < per_seller)
            and categories[category] < max(1, int(0.4 * k))
            and (not own[row] or sum(own[one] for one in chosen) < -(-k // 2))
        )

    for upto, per_seller in ((min(10, k), 3), (k, k)):
        for row in rows:
            if len(chosen) < upto and row not in chosen and fits(row, per_seller):
                chosen.append(row)
    return chosen + [row for row in rows if row not in chosen]


@given(st.integers(1, 15), st.integers(0, 120), st.integers(1, 9), st.integers(0, 10_000))
def test_caps_are_those_of_going_down_the_list_by_hand(k: int, n: int, few: int, seed: int) -> None:
    """Long lists are not looked at to their end, unless their beginning is all of one kind."""
    rng = np.random.default_rng(seed)
    categories = np.sort(rng.integers(0, few, 120)).astype(np.int32)
    sellers = (rng.integers(0, few, 120) - 1).astype(np.int32)
    names = [f"c{code}" for code in range(few)]
    catalogue = make_catalogue(
        120, categories=categories, category_names=names, sellers=sellers, seller_names=names
    )
    release = make_release(catalogue)
    rows = np.sort(rng.permutation(120)[:n]) if seed % 2 else rng.permutation(120)[:n]
    sources = rng.choice([Source.ANN, Source.AGAIN, Source.EXPLORATION], n, p=(0.6, 0.3, 0.1))
    plain = make_candidates(*rows.tolist())
    found = Candidates(plain.rows, plain.scores, sources.astype(np.uint8), plain.propensities)
    query = make_query(release, k=k)
    assert diversify(found, query, release).rows.tolist() == by_hand(found, k, release)


@given(st.permutations(range(12)), st.integers(1, 12))
def test_diversify_only_reorders(rows: list[int], k: int) -> None:
    release = make_release(make_catalogue(12))
    found = diversify(make_candidates(*rows), make_query(release, k=k), release)
    assert sorted(found.rows.tolist()) == sorted(rows)

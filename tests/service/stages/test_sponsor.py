"""Sponsored items: few, labelled, never on top, and never past a rule."""

import numpy as np

from service.domain.candidates import Candidates
from service.domain.sources import Source
from service.domain.traces import Trace
from service.rules.excluded import NotExcluded
from service.rules.stock import InStock
from service.stages.diversify import Diversify
from service.stages.filter import Filter
from service.stages.sponsor import Sponsor
from tests.factories import ids, make_candidates, make_catalogue, make_query, make_release, sold_out

RELEASE = make_release(make_catalogue(40))
FOUND = make_candidates(*range(20))
RULES = Filter((InStock(), NotExcluded()))


def sponsor(found: Candidates = FOUND, most: int = 2, **request: object) -> Candidates:
    query = make_query(RELEASE, **{"k": 10, **request})
    return Sponsor(most, RULES)(found, query, RELEASE, Trace("t"))


def places(found: Candidates) -> list[int]:
    return np.flatnonzero(found.sources == Source.SPONSORED).tolist()


def test_the_third_and_the_eighth_place_are_for_sale() -> None:
    found = sponsor(sponsored_item_ids=("i30", "i31", "i32"))
    assert ids(RELEASE, found)[2] == "i30"
    assert ids(RELEASE, found)[7] == "i31"
    assert places(found) == [2, 7]
    assert len(found) == 22
    assert np.isnan(found.scores[2])


def test_an_item_that_is_there_anyway_moves_and_is_labelled() -> None:
    found = sponsor(sponsored_item_ids=("i9", "i9"))
    assert ids(RELEASE, found) == ["i0", "i1", "i9", *(f"i{i}" for i in (2, 3, 4, 5, 6, 7, 8))] + [
        f"i{i}" for i in range(10, 20)
    ]
    assert places(found) == [2]


def test_rules_hold_for_money_too() -> None:
    release = make_release(make_catalogue(40))
    release.updates.apply(sold_out("i30"))
    trace = Trace("t")
    query = make_query(
        release,
        k=10,
        sponsored_item_ids=("i30", "i31", "nothing", "i32"),
        exclude_item_ids=("i31",),
    )
    found = Sponsor(5, RULES)(FOUND, query, release, trace)
    assert [found.rows[place] for place in places(found)] == [32]
    assert trace.removed == {"stock": 1, "excluded": 1}


def test_a_list_too_short_to_have_a_place_for_sale_has_none() -> None:
    assert sponsor(k=2, sponsored_item_ids=("i30",)) is FOUND
    assert sponsor(most=0, sponsored_item_ids=("i30",)) is FOUND
    assert sponsor() is FOUND


def test_few_candidates_still_make_a_list() -> None:
    found = sponsor(make_candidates(0), sponsored_item_ids=("i30", "i31"))
    assert ids(RELEASE, found) == ["i0", "i30", "i31"]


def test_the_seller_cap_holds_for_sponsored_items() -> None:
    sellers = np.full(40, -1, dtype=np.int32)
    sellers[[0, 1, 30, 31]] = 0
    release = make_release(make_catalogue(40, sellers=sellers))
    query = make_query(release, k=10, sponsored_item_ids=("i30", "i31"))
    paid = Sponsor(2, RULES)(FOUND, query, release, Trace("t"))
    top = Diversify(1.0, 3, 1.0)(paid, query, release).rows[:10].tolist()
    assert sum(sellers[row] == 0 for row in top) == 3
    assert 31 not in top

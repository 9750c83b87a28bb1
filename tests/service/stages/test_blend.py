"""Blend: popularity beside the vector, the more the less is known."""

import numpy as np
import pytest

from service.domain.candidates import Candidates
from service.domain.sessions import Segment
from service.domain.sources import Source
from service.fallback.popular import Popular
from service.ports.serving import Release
from service.stages.blend import Blend
from tests.factories import (
    category_filter,
    ids,
    make_catalogue,
    make_query,
    make_release,
    make_session,
)

blend = Blend(Popular(), sparse_below=5, sparse_weight=2.0, stale_weight=0.5)


def near(release: Release, row: int, n: int) -> Candidates:
    """The n items nearest to a row, as the index gives them."""
    rows, scores = release.index.search(release.catalogue.vectors[row], n)
    return Candidates.of(rows, scores, Source.ANN)


@pytest.mark.parametrize(
    ("n_actions", "expected"),
    [(1, 1.6), (3, 0.8), (4, 0.4), (5, 0.0), (20, 0.0)],
)
def test_the_weight_falls_with_every_action(n_actions: int, expected: float) -> None:
    release = make_release()
    query = make_query(release, make_session(*[("i9", "view")] * n_actions))
    vector = release.catalogue.vectors[9]
    found = blend(near(release, 9, 10), vector, query, release)
    plain = release.catalogue.vectors[found.rows] @ vector
    counted = expected * release.catalogue.popularity[found.rows]
    assert found.scores == pytest.approx(plain + counted, abs=1e-6)
    assert (np.diff(found.scores) <= 0).all()


def test_actions_on_unknown_items_say_nothing() -> None:
    release = make_release()
    session = make_session(("i9", "view"), *[("gone", "view")] * 9)
    query = make_query(release, session)
    found = blend(near(release, 9, 10), release.catalogue.vectors[9], query, release)
    assert ids(release, found)[0] == "i0"


def test_popular_items_come_in_and_say_what_they_are() -> None:
    release = make_release(make_catalogue(300))
    query = make_query(release, make_session(("i299", "view")))
    found = blend(near(release, 299, 20), release.catalogue.vectors[299], query, release)
    assert len(found) == len(set(found.rows.tolist())) == 20 + 100
    sources = dict(zip(ids(release, found), found.sources.tolist(), strict=True))
    assert sources["i0"] == Source.POPULAR
    assert sources["i299"] == Source.ANN


def test_an_old_signal_is_blended_however_long_the_history() -> None:
    release = make_release()
    session = make_session(*[("i9", "view")] * 8)
    found = near(release, 9, 10)
    for segment, counts in ((Segment.STALE, 0.5), (Segment.CASUAL, 0.0)):
        query = make_query(release, session, segment=segment)
        blended = blend(found, release.catalogue.vectors[9], query, release)
        top = blended.scores[blended.rows == 0] - found.scores[found.rows == 0]
        assert top == pytest.approx([counts], abs=1e-6)


def test_filters_hold_for_what_comes_in() -> None:
    release = make_release()
    rows = np.array([9, 7], dtype=np.int64)
    found = Candidates.of(rows, np.array([1.0, 0.9], dtype=np.float32), Source.ANN)
    filters = category_filter("books")
    query = make_query(release, make_session(("i9", "view")), filters=filters)
    blended = blend(found, release.catalogue.vectors[9], query, release)
    assert set(release.catalogue.categories[blended.rows]) == {1}


def test_a_strict_request_is_not_blended() -> None:
    release = make_release()
    query = make_query(release, make_session(("i9", "view")), strict=True)
    found = near(release, 9, 4)
    assert blend(found, release.catalogue.vectors[9], query, release) is found


def test_where_nothing_was_ever_popular_the_order_stays() -> None:
    release = make_release(make_catalogue(10, popularity=np.zeros(10, dtype=np.float32)))
    query = make_query(release, make_session(("i9", "view")))
    found = blend(near(release, 9, 10), release.catalogue.vectors[9], query, release)
    assert ids(release, found) == [f"i{row}" for row in range(9, -1, -1)]

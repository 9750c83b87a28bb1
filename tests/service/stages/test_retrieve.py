"""Retrieve: near items and own items."""

import pytest

from service.domain.deadlines import Deadline
from service.domain.sessions import Segment
from service.domain.sources import Source
from service.domain.traces import Trace
from service.errors import IndexUnavailable
from service.fallback.popular import Popular
from service.stages.retrieve import Retrieve
from tests.factories import (
    category_filter,
    ids,
    make_catalogue,
    make_query,
    make_release,
    make_session,
)

retrieve = Retrieve(overfetch=3.0)


def test_without_a_vector_nothing_is_retrieved() -> None:
    release = make_release()
    assert len(retrieve(None, make_query(release), release, Trace("test"))) == 0


def test_the_nearest_items_come_first() -> None:
    release = make_release(has_repeats=False)
    found = retrieve(release.catalogue.vectors[9], make_query(release), release, Trace("test"))
    assert ids(release, found)[:3] == ["i9", "i8", "i7"]


def test_own_items_are_a_source_of_their_own_where_repeats_make_sense() -> None:
    session = make_session(("i0", "purchase"), ("i0", "purchase"), ("i5", "purchase"))
    release = make_release(again_weight=10.0)
    found = retrieve(
        release.catalogue.vectors[9], make_query(release, session), release, Trace("test")
    )
    assert ids(release, found)[:3] == ["i0", "i5", "i9"]  # two of two actions beat one of two
    assert found.sources.tolist()[:3] == [Source.AGAIN, Source.AGAIN, Source.ANN]
    plain = make_release(again_weight=10.0, has_repeats=False)
    assert (
        Source.AGAIN
        not in retrieve(
            plain.catalogue.vectors[9], make_query(plain, session), plain, Trace("test")
        ).sources
    )


def test_what_came_back_is_not_an_own_item() -> None:
    session = make_session(("i0", "return"))
    release = make_release(again_weight=10.0)
    found = retrieve(
        release.catalogue.vectors[9], make_query(release, session), release, Trace("test")
    )
    assert Source.AGAIN not in found.sources


def test_filters_are_applied_before_counting() -> None:
    release = make_release(make_catalogue(500), has_repeats=False)
    query = make_query(release, k=200, filters=category_filter("books"))
    found = retrieve(release.catalogue.vectors[0], query, release, Trace("test"))
    assert len(found) == 250
    assert set(release.catalogue.categories[found.rows]) == {1}


def test_no_time_left_is_an_outcome_not_a_search() -> None:
    release = make_release()
    query = make_query(release)
    object.__setattr__(query, "deadline", Deadline.after(-1.0))
    with pytest.raises(IndexUnavailable):
        retrieve(release.catalogue.vectors[0], query, release, Trace("test"))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, ["i9", "i8", "i7", "i6", "i5"]),
        (0.25, ["i9", "i8", "i0", "i7", "i6"]),
        (0.5, ["i9", "i0", "i8", "i1", "i7"]),
        (0.75, ["i0", "i9", "i1", "i2", "i3"]),
    ],
)
def test_an_old_signal_is_blended_with_what_is_popular(share: float, expected: list[str]) -> None:
    release = make_release(has_repeats=False)
    blending, near = Retrieve(3.0, Popular(), share), release.catalogue.vectors[9]
    for segment, wanted in ((Segment.STALE, expected), (Segment.CASUAL, ["i9", "i8", "i7"])):
        found = blending(near, make_query(release, segment=segment), release, Trace("test"))
        assert ids(release, found)[: len(wanted)] == wanted
        assert len(set(found.rows.tolist())) == len(found)


def test_popular_items_in_the_blend_say_what_they_are() -> None:
    release = make_release(make_catalogue(300), has_repeats=False)
    query = make_query(release, segment=Segment.STALE)
    found = Retrieve(3.0, Popular(), 0.5)(
        release.catalogue.vectors[299], query, release, Trace("test")
    )
    assert found.sources.tolist()[:4] == [Source.ANN, Source.POPULAR, Source.ANN, Source.POPULAR]


def test_a_strict_request_is_not_blended() -> None:
    release = make_release(has_repeats=False)
    query = make_query(release, segment=Segment.STALE, strict=True)
    found = Retrieve(3.0, Popular(), 0.5)(
        release.catalogue.vectors[9], query, release, Trace("test")
    )
    assert set(found.sources) == {Source.ANN}


def test_a_stranger_is_left_to_the_ladder() -> None:
    release = make_release()
    query = make_query(release, segment=Segment.STALE)
    assert len(Retrieve(3.0, Popular(), 0.5)(None, query, release, Trace("test"))) == 0

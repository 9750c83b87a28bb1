"""Rungs: what each proposes, and when it has nothing to say."""

import numpy as np

from service.domain.ladders import ALL, Ladder, category_scope, country_scope
from service.domain.sources import Source
from service.fallback.content import Content
from service.fallback.popular import Popular
from service.fallback.trending import Trending, interleave
from tests.factories import (
    NoTrends,
    category_filter,
    ids,
    make_query,
    make_release,
    make_session,
)


def test_content_is_near_the_recent_items() -> None:
    release = make_release()
    session = make_session(("i9", "view"))
    found = Content().propose(make_query(release, session), release, 2)
    assert ids(release, found) == ["i9", "i8"]
    assert set(found.sources) == {Source.CONTENT}


def test_content_has_nothing_to_say_about_a_stranger() -> None:
    release = make_release()
    assert len(Content().propose(make_query(release), release, 5)) == 0


def test_trending_follows_declared_interests() -> None:
    release = make_release()
    query = make_query(release, make_session(interests=("books",)))
    assert ids(release, Trending(NoTrends()).propose(query, release, 3)) == ["i1", "i3", "i5"]


def test_trending_follows_the_categories_of_recent_actions() -> None:
    release = make_release()
    query = make_query(release, make_session(("i1", "view"), ("i3", "view"), ("i2", "view")))
    assert ids(release, Trending(NoTrends()).propose(query, release, 4)) == ["i1", "i0", "i3", "i2"]


def test_trending_has_nothing_to_say_about_a_stranger() -> None:
    release = make_release()
    assert len(Trending(NoTrends()).propose(make_query(release), release, 2)) == 0


def test_popular_starts_with_the_country() -> None:
    rows = np.arange(10)
    ladder = Ladder(popular={ALL: rows, country_scope("Iceland"): rows[7:9]}, trending={})
    release = make_release(ladder=ladder)
    query = make_query(release, context={"country": "Iceland"})
    assert ids(release, Popular().propose(query, release, 4)) == ["i7", "i8", "i0", "i1"]


def test_popular_starts_with_declared_interests() -> None:
    rows = np.arange(10)
    lists = {ALL: rows, category_scope("books"): rows[[7, 5]], category_scope("toys"): rows[[4]]}
    release = make_release(ladder=Ladder(popular=lists, trending={}))
    query = make_query(release, make_session(interests=("toys", "books", "unheard of")))
    assert ids(release, Popular().propose(query, release, 5)) == ["i4", "i7", "i5", "i0", "i1"]


def test_popular_under_a_filter_reaches_every_allowed_item() -> None:
    release = make_release(ladder=Ladder(popular={ALL: np.array([0])}, trending={}))
    query = make_query(release, filters=category_filter("books"))
    assert ids(release, Popular().propose(query, release, 9)) == ["i1", "i3", "i5", "i7", "i9"]


def test_interleave_deals_in_turn_and_repeats_nothing() -> None:
    lists = [np.array([1, 2, 3]), np.array([9, 1])]
    assert interleave(lists).tolist() == [1, 9, 2, 3]
    assert interleave([]).tolist() == []

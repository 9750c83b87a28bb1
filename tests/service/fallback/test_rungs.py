"""Rungs: what each proposes, and when it has nothing to say."""

import numpy as np
import pytest

from service.domain.ladders import ALL, Ladder, category_scope, country_scope
from service.domain.sources import Source
from service.fallback.content import Content
from service.fallback.popular import Popular
from service.fallback.trending import Trending, interleave
from tests.factories import (
    NoTrends,
    category_filter,
    ids,
    make_catalogue,
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
    query = make_query(release, make_session(("i0", "view"), interests=("books",)))
    assert ids(release, Trending(NoTrends()).propose(query, release, 3)) == ["i1", "i3", "i5"]


def test_trending_follows_the_categories_of_recent_actions() -> None:
    release = make_release()
    query = make_query(release, make_session(("i1", "view"), ("i3", "view"), ("i2", "view")))
    assert ids(release, Trending(NoTrends()).propose(query, release, 4)) == ["i1", "i0", "i3", "i2"]


@pytest.mark.parametrize("interests", [(), ("books",)])
def test_trending_has_nothing_to_say_before_the_first_action(interests: tuple[str, ...]) -> None:
    release = make_release()
    query = make_query(release, make_session(interests=interests))
    assert len(Trending(NoTrends()).propose(query, release, 2)) == 0


def test_popular_starts_with_the_country() -> None:
    rows = np.arange(10)
    ladder = Ladder(popular={ALL: rows, country_scope("Iceland"): rows[7:9]}, trending={})
    release = make_release(ladder=ladder)
    query = make_query(release, context={"country": "Iceland"})
    assert ids(release, Popular().propose(query, release, 4)) == ["i7", "i8", "i0", "i1"]


def test_popularity_counts_twice_in_declared_interests() -> None:
    rows = np.arange(6)
    lists = {ALL: rows[:4], category_scope("books"): rows[[3, 5]], category_scope("toys"): rows[:1]}
    counts = np.array([0.5, 0.4, 0.3, 0.25, 0.2, 0.18], dtype=np.float32)
    release = make_release(
        make_catalogue(6, popularity=counts), ladder=Ladder(popular=lists, trending={})
    )
    query = make_query(release, make_session(interests=("toys", "books", "unheard of")))
    found = Popular().propose(query, release, 6)
    assert ids(release, found) == ["i0", "i3", "i1", "i5", "i2"]  # 1.0, 0.5, 0.4, 0.36, 0.3


def test_popular_under_a_filter_reaches_every_allowed_item() -> None:
    release = make_release(ladder=Ladder(popular={ALL: np.array([0])}, trending={}))
    query = make_query(release, filters=category_filter("books"))
    assert ids(release, Popular().propose(query, release, 9)) == ["i1", "i3", "i5", "i7", "i9"]


def test_interleave_deals_in_turn_and_repeats_nothing() -> None:
    lists = [np.array([1, 2, 3]), np.array([9, 1])]
    assert interleave(lists).tolist() == [1, 9, 2, 3]
    assert interleave([]).tolist() == []

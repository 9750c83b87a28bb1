"""Rules: each drops what it should and nothing else."""

import numpy as np

from service.domain.arrays import Rows
from service.rules.disliked import NotDisliked
from service.rules.excluded import NotExcluded
from service.rules.filters import Matches
from service.rules.policy import Policy
from service.rules.purchased import NotPurchased
from service.rules.seen import NotSeen
from service.rules.stock import InStock
from tests.factories import (
    category_filter,
    make_catalogue,
    make_marks,
    make_query,
    make_release,
    make_session,
    sold_out,
)

ROWS: Rows = np.arange(5)
DAY_S = 86_400.0


def test_sold_out_items_are_dropped() -> None:
    release = make_release()
    release.updates.apply(sold_out("i3", "nobody knows"))
    assert InStock()(ROWS, make_query(release), release).tolist() == [1, 1, 1, 0, 1]


def test_blocked_items_are_dropped() -> None:
    blocked = np.arange(10) == 2
    release = make_release(make_catalogue(is_blocked=blocked))
    assert Policy()(ROWS, make_query(release), release).tolist() == [1, 1, 0, 1, 1]


def test_excluded_items_are_dropped() -> None:
    release = make_release()
    query = make_query(release, exclude_item_ids=("i0", "unknown"))
    assert NotExcluded()(ROWS, query, release).tolist() == [0, 1, 1, 1, 1]


def test_request_filters_are_applied() -> None:
    release = make_release()
    query = make_query(release, filters=category_filter("toys"))
    assert Matches()(ROWS, query, release).tolist() == [1, 0, 1, 0, 1]


def test_a_purchase_is_not_offered_again_within_the_cooldown() -> None:
    release = make_release()
    session = make_session(purchased=make_marks(("i0", 60), ("i1", 2 * DAY_S)))
    query = make_query(release, session)
    assert NotPurchased(DAY_S)(ROWS, query, release).tolist() == [0, 1, 1, 1, 1]


def test_all_purchases_go_on_request_or_where_repeats_make_no_sense() -> None:
    session = make_session(purchased=make_marks(("i0", 60), ("i1", 2 * DAY_S)))
    asked, once = make_release(), make_release(has_repeats=False)
    query = make_query(asked, session, exclude_purchased=True)
    assert NotPurchased(DAY_S)(ROWS, query, asked).tolist() == [0, 0, 1, 1, 1]
    query = make_query(once, session)
    assert NotPurchased(DAY_S)(ROWS, query, once).tolist() == [0, 0, 1, 1, 1]


def test_purchases_stay_on_request() -> None:
    release = make_release()
    session = make_session(purchased=make_marks(("i0", 60)))
    query = make_query(release, session, exclude_purchased=False)
    assert NotPurchased(DAY_S)(ROWS, query, release) is None


def test_seen_items_go_only_on_request_and_only_within_the_window() -> None:
    release = make_release()
    session = make_session(seen=make_marks(("i0", 60), ("i1", 9 * DAY_S)))
    rule = NotSeen(7 * DAY_S)
    assert rule(ROWS, make_query(release, session), release) is None
    query = make_query(release, session, exclude_seen=True)
    assert rule(ROWS, query, release).tolist() == [0, 1, 1, 1, 1]


def test_disliked_items_are_dropped() -> None:
    release = make_release()
    session = make_session(("i4", "dislike"), ("i1", "view"))
    assert NotDisliked()(ROWS, make_query(release, session), release).tolist() == [1, 1, 1, 1, 0]

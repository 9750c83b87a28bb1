"""Segments: how much is known."""

import pytest

from service.domain.requests import Request
from service.domain.sessions import EMPTY_SESSION, Segment, Session
from service.stages.segment import Segmenter
from tests.factories import NOW_S, make_session

DAY_S = 86_400.0
segment = Segmenter(sparse_below=5, power_from=50, stale_after_s=90 * DAY_S)
KNOWN = Request(user_id="ann")


@pytest.mark.parametrize(
    ("n_interactions", "expected"),
    [(1, "sparse"), (4, "sparse"), (5, "casual"), (49, "casual"), (50, "power")],
)
def test_the_count_of_actions_decides(n_interactions: int, expected: str) -> None:
    session = make_session(("i1", "view"), n_interactions=n_interactions)
    assert segment(KNOWN, session, NOW_S) == expected


def test_nobody_knows_a_visitor_without_actions() -> None:
    assert segment(KNOWN, EMPTY_SESSION, NOW_S) is Segment.NEW
    assert segment(Request(), Session(), NOW_S) is Segment.NEW


def test_actions_without_an_id_are_a_guest() -> None:
    assert segment(Request(), make_session(("i1", "view")), NOW_S) is Segment.GUEST


def test_an_old_newest_action_is_stale() -> None:
    session = make_session(("i1", "view", 91 * DAY_S), n_interactions=60)
    assert segment(KNOWN, session, NOW_S) is Segment.STALE

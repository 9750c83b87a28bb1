"""Lookup: stored and brought actions become one session."""

from collections.abc import Sequence

import pytest

from service.domain.deadlines import Deadline
from service.domain.events import Event, EventOutcome
from service.domain.sessions import EMPTY_SESSION, Session
from service.errors import StoreUnavailable
from service.stages.lookup import Lookup, merge
from tests.factories import make_session


class OneSession:
    """A store that knows one session and the timeout it was asked with."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.timeout_s = 0.0

    async def read(self, user: str, timeout_s: float) -> Session:
        self.timeout_s = timeout_s
        return self.session

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        raise NotImplementedError


def test_merged_actions_are_ordered_by_time() -> None:
    stored = make_session(("i1", "view", 300), ("i2", "view", 100))
    merged = merge(stored, make_session(("i3", "view", 200)))
    assert merged.item_ids == ("i1", "i3", "i2")


def test_an_action_that_is_stored_and_brought_counts_once() -> None:
    stored = make_session(("i1", "view", 300), ("i2", "view", 100))
    merged = merge(stored, make_session(("i2", "view", 100)))
    assert merged.item_ids == ("i1", "i2")
    assert merged.n_interactions == 2


async def test_nobody_is_not_looked_up() -> None:
    brought = make_session(("i1", "view"))
    session = await Lookup(OneSession(EMPTY_SESSION), 1.0)(None, brought, Deadline.after(1.0))
    assert session is brought


async def test_the_store_gets_no_more_time_than_the_request_has() -> None:
    store = OneSession(make_session(("i1", "view")))
    await Lookup(store, 10.0)("u:ann", EMPTY_SESSION, Deadline.after(1.0))
    assert store.timeout_s <= 1.0


async def test_a_passed_deadline_is_not_spent_on_the_store() -> None:
    with pytest.raises(StoreUnavailable):
        await Lookup(OneSession(EMPTY_SESSION), 1.0)("u:ann", EMPTY_SESSION, Deadline.after(-1.0))

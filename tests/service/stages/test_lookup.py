"""Lookup: everything one person did, under all ids, in one round trip or two."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from service.domain.deadlines import Deadline
from service.domain.events import Event, EventOutcome
from service.domain.identity import NOBODY, Person
from service.domain.requests import Request
from service.domain.sessions import EMPTY_SESSION, Session
from service.domain.traces import Trace
from service.errors import StoreUnavailable
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from tests.factories import make_session

HAT, CUP = make_session(("hat", "view", 300)), make_session(("cup", "view", 200))
LAPTOP = {"u:ann": replace(HAT, links=("a:phone",)), "a:phone": replace(CUP, links=("u:ann",))}


class Sessions:
    """A store that knows some sessions, and what it was asked for; `broken` ids cannot be read."""

    def __init__(self, sessions: Mapping[str, Session], *broken: str) -> None:
        self.sessions, self.broken = dict(sessions), broken
        self.asked: list[tuple[str, ...]] = []
        self.timeout_s = 0.0

    async def read(self, user: str, timeout_s: float) -> Session:
        raise NotImplementedError

    async def read_all(self, users: Sequence[str], timeout_s: float) -> dict[str, Session]:
        self.timeout_s = timeout_s
        self.asked.append(tuple(users))
        found = {
            user: self.sessions.get(user, EMPTY_SESSION)
            for user in users
            if user not in self.broken
        }
        if not found:
            raise StoreUnavailable("timeout")
        return found

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        raise NotImplementedError


class Looking:
    """Identify and lookup as the pipeline runs them."""

    def __init__(self, store: Sessions) -> None:
        self.identify = Identify(100)
        self.lookup = Lookup(store, 10.0, self.identify)
        self.trace = Trace("r")

    async def __call__(
        self, request: Request, brought: Session = EMPTY_SESSION, left_s: float = 1.0
    ) -> tuple[Person, Session]:
        self.trace = Trace("r")
        asking = self.identify(request)
        return await self.lookup(asking, brought, Deadline.after(left_s), self.trace)


async def test_nobody_is_not_looked_up() -> None:
    store = Sessions({})
    assert await Looking(store)(Request(), HAT) == (NOBODY, HAT)
    assert store.asked == []


async def test_the_store_gets_no_more_time_than_the_request_has() -> None:
    store = Sessions({})
    await Looking(store)(Request(user_id="ann"))
    assert store.timeout_s <= 1.0


async def test_a_passed_deadline_is_not_spent_on_the_store() -> None:
    with pytest.raises(StoreUnavailable):
        await Looking(Sessions({}))(Request(user_id="ann"), left_s=-1.0)


@pytest.mark.parametrize("request_", [Request(user_id="bob"), Request(anonymous_id="x")])
async def test_somebody_with_one_id_is_read_at_once(request_: Request) -> None:
    store = Sessions({"u:bob": HAT, "a:x": HAT})
    _, session = await Looking(store)(request_)
    assert session.item_ids == ("hat",)
    assert len(store.asked) == 1


@pytest.mark.parametrize("request_", [Request(user_id="ann"), Request(anonymous_id="phone")])
async def test_linked_ids_take_a_second_trip_once_and_then_one(request_: Request) -> None:
    store = Sessions(LAPTOP)
    looking = Looking(store)
    for trips in (2, 3, 4):
        person, session = await looking(request_)
        assert person == Person("u:ann", ("u:ann", "a:phone"))
        assert session.item_ids == ("hat", "cup")
        assert len(store.asked) == trips


async def test_both_ids_in_a_request_are_read_together() -> None:
    store = Sessions(LAPTOP)
    person, _ = await Looking(store)(Request(user_id="ann", anonymous_id="phone"))
    assert person.ids == ("u:ann", "a:phone")
    assert store.asked == [("u:ann", "a:phone")]


async def test_an_anonymous_id_that_is_not_linked_does_not_count_beside_a_user() -> None:
    store = Sessions({"u:bob": HAT, "a:phone": replace(CUP, links=("u:ann",))})
    person, session = await Looking(store)(Request(user_id="bob", anonymous_id="phone"))
    assert (person, session.item_ids) == (Person("u:bob", ("u:bob",)), ("hat",))


async def test_an_unlink_counts_at_once_whatever_is_remembered() -> None:
    store = Sessions(LAPTOP)
    looking = Looking(store)
    await looking(Request(anonymous_id="phone"))
    store.sessions = {"u:ann": HAT, "a:phone": CUP}
    person, session = await looking(Request(anonymous_id="phone"))
    assert (person, session.item_ids) == (Person("a:phone", ("a:phone",)), ("cup",))


async def test_a_link_counts_at_once_whatever_is_remembered() -> None:
    store = Sessions(LAPTOP)
    looking = Looking(store)
    await looking(Request(user_id="ann"))
    store.sessions["u:ann"] = replace(HAT, links=("a:phone", "a:tablet"))
    store.sessions["a:tablet"] = make_session(("tie", "view", 100), links=("u:ann", "a:phone"))
    _, session = await looking(Request(user_id="ann"))
    assert session.item_ids == ("hat", "cup", "tie")


async def test_linked_ids_that_cannot_be_read_cost_their_history_only() -> None:
    store = Sessions(LAPTOP, "a:phone")
    looking = Looking(store)
    person, session = await looking(Request(user_id="ann"))
    assert (person, session.item_ids) == (Person("u:ann", ("u:ann",), unread=1), ("hat",))
    assert looking.trace.degraded == ["identity"]
    assert looking.trace.person is person


async def test_an_account_that_cannot_be_read_leaves_the_id_as_given() -> None:
    looking = Looking(Sessions(LAPTOP, "u:ann"))
    person, session = await looking(Request(anonymous_id="phone"))
    assert (person, session.item_ids) == (Person("a:phone", ("a:phone",), unread=1), ("cup",))
    assert looking.trace.degraded == ["identity"]


async def test_without_the_own_session_there_is_no_session() -> None:
    looking = Looking(Sessions(LAPTOP))
    await looking(Request(user_id="ann"))
    looking.lookup.store.broken = ("u:ann",)  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable):
        await looking(Request(user_id="ann"))


async def test_only_so_many_people_are_remembered() -> None:
    identify = Identify(2)
    for n in range(5):
        identify.remember(f"u:{n}", (f"u:{n}", "a:x"))
    assert [len(identify(Request(user_id=str(n))).ids) for n in range(5)] == [1, 1, 1, 2, 2]


async def test_who_is_forgotten_is_not_remembered() -> None:
    identify = Identify(2)
    identify.remember("u:ann", ("u:ann", "a:phone"))
    identify.forget(("u:ann", "u:nobody"))
    assert identify(Request(user_id="ann")).ids == ("u:ann",)


async def test_what_is_brought_along_is_added() -> None:
    _, session = await Looking(Sessions({"u:bob": HAT}))(Request(user_id="bob"), CUP)
    assert session.item_ids == ("hat", "cup")

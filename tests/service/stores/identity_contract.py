"""What every identity store must do, beside the session store that it belongs to."""

from dataclasses import dataclass
from typing import Protocol

from service.domain.deadlines import Deadline
from service.domain.identity import LinkOutcome, Person
from service.domain.requests import Request
from service.domain.sessions import EMPTY_SESSION, Session
from service.domain.traces import Trace
from service.ports.stores import IdentityStore, SessionStore
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from tests.service.stores.contract import READ_S, event

LINKED, ALREADY, CONFLICT = LinkOutcome.LINKED, LinkOutcome.ALREADY, LinkOutcome.CONFLICT
UNLINKED, ABSENT = LinkOutcome.UNLINKED, LinkOutcome.ABSENT
IDS_KEPT = 3


@dataclass
class Stores:
    """Both stores over the same people."""

    sessions: SessionStore
    identities: IdentityStore


class Look(Protocol):
    async def __call__(self, user: str) -> tuple[Person, Session]: ...


async def look(stores: Stores, user: str, identify: Identify | None = None) -> Person:
    """The person as the read path finds it."""
    return (await look_up(stores, user, identify))[0]


async def look_up(
    stores: Stores, user: str, identify: Identify | None = None
) -> tuple[Person, Session]:
    kind, name = user.split(":", 1)
    request = Request(user_id=name) if kind == "u" else Request(anonymous_id=name)
    identify = identify or Identify(0)
    lookup = Lookup(stores.sessions, READ_S, identify)
    asking = identify(request)
    return await lookup(asking, EMPTY_SESSION, Deadline.after(READ_S), Trace("r"))


class IdentityStoreContract:
    async def test_linked_ids_are_one_person_from_either_end(self, stores: Stores) -> None:
        await stores.sessions.record(
            [event("1", "hat", user="u:ann", ago_s=30), event("2", "cup", user="a:phone", ago_s=60)]
        )
        assert await stores.identities.link("u:ann", "a:phone") is LINKED
        for user in ("u:ann", "a:phone"):
            person, session = await look_up(stores, user)
            assert person == Person("u:ann", ("u:ann", "a:phone"))
            assert session.item_ids == ("cup", "hat")
            assert session.n_interactions == 2

    async def test_ids_may_be_linked_before_anything_is_known_of_them(self, stores: Stores) -> None:
        assert await stores.identities.link("u:ann", "a:phone") is LINKED
        await stores.sessions.record([event("1", "hat", user="a:phone")])
        assert (await look_up(stores, "u:ann"))[1].item_ids == ("hat",)

    async def test_linking_again_changes_nothing(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        assert await stores.identities.link("u:ann", "a:phone") is ALREADY
        assert (await look(stores, "u:ann")).ids == ("u:ann", "a:phone")

    async def test_an_anonymous_id_belongs_to_one_account_only(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        assert await stores.identities.link("u:bob", "a:phone") is CONFLICT
        assert (await look(stores, "a:phone")).user == "u:ann"
        assert (await look(stores, "u:bob")).ids == ("u:bob",)

    async def test_unlinking_splits_the_histories_as_they_were(self, stores: Stores) -> None:
        await stores.sessions.record([event("1", "hat", user="u:ann", ago_s=30)])
        await stores.identities.link("u:ann", "a:phone")
        await stores.sessions.record([event("2", "cup", user="a:phone")])
        assert await stores.identities.unlink("u:ann", "a:phone") is UNLINKED
        assert (await look_up(stores, "u:ann"))[1].item_ids == ("hat",)
        assert (await look_up(stores, "a:phone"))[1].item_ids == ("cup",)
        assert (await look(stores, "a:phone")).user == "a:phone"

    async def test_what_is_not_linked_cannot_be_unlinked(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        assert await stores.identities.unlink("u:bob", "a:phone") is ABSENT
        assert await stores.identities.unlink("u:ann", "a:tablet") is ABSENT
        assert (await look(stores, "a:phone")).user == "u:ann"

    async def test_an_unlinked_id_is_free_for_another_account(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        await stores.identities.unlink("u:ann", "a:phone")
        assert await stores.identities.link("u:bob", "a:phone") is LINKED
        assert (await look(stores, "a:phone")).user == "u:bob"

    async def test_all_ids_of_an_account_are_found_from_each(self, stores: Stores) -> None:
        for one in ("a:phone", "a:tablet", "a:laptop"):
            await stores.identities.link("u:ann", one)
        ids = ("u:ann", "a:phone", "a:tablet", "a:laptop")
        for user in ids:
            assert await look(stores, user) == Person("u:ann", ids)
        await stores.identities.unlink("u:ann", "a:tablet")
        assert (await look(stores, "a:laptop")).ids == ("u:ann", "a:phone", "a:laptop")

    async def test_the_oldest_link_gives_way(self, stores: Stores) -> None:
        for n in range(IDS_KEPT + 1):
            await stores.identities.link("u:ann", f"a:{n}")
        assert (await look(stores, "u:ann")).ids == ("u:ann", "a:1", "a:2", "a:3")
        assert (await look(stores, "a:0")).user == "a:0"
        assert await stores.identities.link("u:bob", "a:0") is LINKED

    async def test_the_same_event_under_two_ids_counts_once(self, stores: Stores) -> None:
        await stores.sessions.record([event("1", "hat", user="u:ann")])
        await stores.sessions.record([event("1", "hat", user="a:phone")])
        await stores.identities.link("u:ann", "a:phone")
        _, session = await look_up(stores, "u:ann")
        assert (session.item_ids, session.n_interactions) == (("hat",), 1)

    async def test_events_change_no_link_and_links_no_event(self, stores: Stores) -> None:
        await stores.sessions.record([event("1", "hat", "purchase", user="a:phone")])
        await stores.identities.set_interests("a:phone", ["toys"])
        await stores.identities.link("u:ann", "a:phone")
        await stores.sessions.record([event("2", "cup", "impression", user="a:phone")])
        await stores.sessions.record([event("3", "tie", "view", 5, user="a:phone")])
        session = await stores.sessions.read("a:phone", READ_S)
        assert session.item_ids == ("hat", "tie")
        assert (session.interests, session.links[:1]) == (("toys",), ("u:ann",))
        assert (len(session.purchased.hashes), len(session.seen.hashes)) == (1, 2)

    async def test_interests_are_replaced_as_a_whole(self, stores: Stores) -> None:
        await stores.identities.set_interests("u:ann", ["toys", "größe"])
        await stores.identities.set_interests("u:ann", ["books"])
        session = await stores.sessions.read("u:ann", READ_S)
        assert (session.interests, session.item_ids) == (("books",), ())
        await stores.identities.set_interests("u:ann", [])
        assert (await stores.sessions.read("u:ann", READ_S)).interests == ()

    async def test_who_is_forgotten_is_forgotten_under_all_ids(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        await stores.identities.link("u:bob", "a:tablet")
        for user in ("u:ann", "a:phone", "a:tablet"):
            await stores.sessions.record([event("1", "hat", user=user)])
        assert set(await stores.identities.forget("u:ann")) == {"u:ann", "a:phone"}
        for user in ("u:ann", "a:phone"):
            assert await look_up(stores, user) == (Person(user, (user,)), EMPTY_SESSION)
        assert (await look(stores, "a:tablet")).user == "u:bob"
        assert await stores.identities.forget("u:ann") == ("u:ann",)

    async def test_a_forgotten_account_blocks_nobody(self, stores: Stores) -> None:
        await stores.identities.link("u:ann", "a:phone")
        await stores.identities.forget("u:ann")
        assert await stores.identities.link("u:bob", "a:phone") is LINKED

    async def test_a_remembered_person_changes_with_the_store(self, stores: Stores) -> None:
        identify = Identify(100)
        for work, n_ids in ((stores.identities.link, 2), (stores.identities.unlink, 1)):
            await work("u:ann", "a:phone")
            for user in ("u:ann", "a:phone", "u:ann"):
                assert len((await look(stores, user, identify)).ids) == n_ids

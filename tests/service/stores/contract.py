"""What every session store must do; a test module runs it against its own `store` fixture."""

from dataclasses import dataclass

from service.domain.actions import ACTIONS
from service.domain.events import Event, EventOutcome
from service.domain.items import item_hash
from service.domain.sessions import EMPTY_SESSION, Marks, Session
from service.ports.stores import SessionStore

NOW_S = 1_700_000_000.0
READ_S = 5.0
STORED, DUPLICATE = EventOutcome.STORED, EventOutcome.DUPLICATE


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


def event(
    name: str, item: str, event_type: str = "click", ago_s: float = 60.0, user: str = "u:ann"
) -> Event:
    return Event(name, event_type, user, item, NOW_S - ago_s)


def marked(marks: Marks) -> dict[int, float]:
    return dict(zip(marks.hashes.tolist(), marks.at_s.tolist(), strict=True))


def words(session: Session) -> list[tuple[str, str]]:
    return [(i, ACTIONS[a]) for i, a in zip(session.item_ids, session.action_types, strict=True)]


class SessionStoreContract:
    async def test_somebody_unknown_has_an_empty_session(self, store: SessionStore) -> None:
        session = await store.read("u:nobody", READ_S)
        assert (session.item_ids, session.n_interactions) == ((), 0)
        assert session.age_s(NOW_S) is None
        assert len(session.purchased.hashes) == len(session.seen.hashes) == 0

    async def test_actions_are_read_back_oldest_first(self, store: SessionStore) -> None:
        await store.record([event("e1", "hat", "purchase", 10.5), event("e2", "cup", "click", 20)])
        session = await store.read("u:ann", READ_S)
        assert words(session) == [("cup", "click"), ("hat", "purchase")]
        assert session.at_s.tolist() == [NOW_S - 20, NOW_S - 10.5]
        assert (session.n_interactions, session.age_s(NOW_S)) == (2, 10.5)

    async def test_events_that_arrive_late_find_their_place_in_time(
        self, store: SessionStore
    ) -> None:
        for name, ago_s in (("b", 20), ("d", 5), ("a", 30), ("c", 10)):
            await store.record([event(name, f"item-{name}", ago_s=ago_s)])
        session = await store.read("u:ann", READ_S)
        assert session.item_ids == ("item-a", "item-b", "item-c", "item-d")

    async def test_events_of_one_instant_stay_in_order_of_arrival(
        self, store: SessionStore
    ) -> None:
        await store.record([event("1", "x"), event("2", "y")])
        await store.record([event("3", "z"), event("4", "x")])
        assert (await store.read("u:ann", READ_S)).item_ids == ("x", "y", "z", "x")

    async def test_an_event_id_counts_once(self, store: SessionStore) -> None:
        assert await store.record([event("e", "hat")]) == [STORED]
        assert await store.record([event("e", "hat")]) == [DUPLICATE]
        session = await store.read("u:ann", READ_S)
        assert (session.item_ids, session.n_interactions) == (("hat",), 1)

    async def test_an_event_id_counts_once_within_a_batch(self, store: SessionStore) -> None:
        outcomes = await store.record([event("e", "hat"), event("f", "cup"), event("e", "hat")])
        assert outcomes == [STORED, STORED, DUPLICATE]
        assert (await store.read("u:ann", READ_S)).n_interactions == 2

    async def test_the_same_event_id_of_two_people_is_two_events(self, store: SessionStore) -> None:
        assert await store.record([event("e", "hat"), event("e", "hat", user="u:bob")]) == [
            STORED,
            STORED,
        ]

    async def test_people_are_kept_apart_in_one_batch(self, store: SessionStore) -> None:
        people = [f"u:{n}" for n in range(150)]
        batch = [event(f"e{n}", f"item-{n}", user=user) for n, user in enumerate(people)]
        assert await store.record(batch) == [STORED] * 150
        for n, user in enumerate(people):
            assert (await store.read(user, READ_S)).item_ids == (f"item-{n}",)

    async def test_outcomes_come_in_the_order_of_the_events(self, store: SessionStore) -> None:
        await store.record([event("old", "hat", ago_s=5)])
        outcomes = await store.record(
            [event("new", "cup", ago_s=1), event("old", "hat", ago_s=5), event("x", "y", ago_s=90)]
        )
        assert outcomes == [STORED, DUPLICATE, STORED]

    async def test_only_the_newest_fifty_actions_are_kept_but_all_are_counted(
        self, store: SessionStore
    ) -> None:
        await store.record([event(f"e{n}", f"i{n}", ago_s=1000 - n) for n in range(70)])
        session = await store.read("u:ann", READ_S)
        assert session.item_ids == tuple(f"i{n}" for n in range(20, 70))
        assert session.n_interactions == 70
        assert await store.record([event("older", "old", ago_s=9999)]) == [STORED]
        assert (await store.read("u:ann", READ_S)).item_ids == session.item_ids

    async def test_an_impression_marks_its_item_as_seen_and_is_no_action(
        self, store: SessionStore
    ) -> None:
        assert await store.record([event("e", "hat", "impression", 30)]) == [STORED]
        session = await store.read("u:ann", READ_S)
        assert (session.item_ids, session.n_interactions) == ((), 0)
        assert marked(session.seen) == {item_hash("hat"): NOW_S - 30}

    async def test_opened_items_are_seen_and_bought_ones_purchased(
        self, store: SessionStore
    ) -> None:
        types = ("view", "click", "add_to_cart", "purchase", "dislike")
        await store.record([event(t, f"by-{t}", t) for t in types])
        session = await store.read("u:ann", READ_S)
        assert set(marked(session.seen)) == {item_hash("by-view"), item_hash("by-click")}
        assert set(marked(session.purchased)) == {item_hash("by-purchase")}

    async def test_a_mark_tells_the_last_time(self, store: SessionStore) -> None:
        for name, ago_s in (("a", 50), ("b", 10), ("c", 30)):
            await store.record([event(name, "hat", "purchase", ago_s)])
        session = await store.read("u:ann", READ_S)
        assert marked(session.purchased) == {item_hash("hat"): NOW_S - 10}
        assert session.purchased.since(NOW_S - 20).tolist() == [item_hash("hat")]

    async def test_what_was_returned_is_no_longer_purchased(self, store: SessionStore) -> None:
        await store.record([event("a", "hat", "purchase", 50), event("b", "hat", "return", 10)])
        session = await store.read("u:ann", READ_S)
        assert len(session.purchased.hashes) == 0
        assert words(session) == [("hat", "purchase"), ("hat", "return")]

    async def test_a_return_that_arrives_before_its_purchase_still_counts(
        self, store: SessionStore
    ) -> None:
        await store.record([event("b", "hat", "return", 10)])
        await store.record([event("a", "hat", "purchase", 50)])
        assert len((await store.read("u:ann", READ_S)).purchased.hashes) == 0
        await store.record([event("c", "hat", "purchase", 5)])
        assert len((await store.read("u:ann", READ_S)).purchased.hashes) == 1

    async def test_a_return_is_known_longer_than_the_action(self, store: SessionStore) -> None:
        later = [event(f"e{n}", f"i{n}", ago_s=9 - n / 9) for n in range(80)]
        await store.record([event("b", "hat", "return", 10), *later])
        await store.record([event("a", "hat", "purchase", 50), event("c", "cup", "purchase", 5)])
        session = await store.read("u:ann", READ_S)
        assert marked(session.purchased) == {item_hash("cup"): NOW_S - 5}
        assert marked(session.returned) == {item_hash("hat"): NOW_S - 10}

    async def test_the_oldest_of_what_was_bought_or_returned_give_way(
        self, store: SessionStore
    ) -> None:
        kinds = ("purchase", "purchase", "return")
        batch = [event(f"e{n}", f"i{n}", kinds[n % 3], ago_s=1000 - n) for n in range(530)]
        await store.record(batch[::-1])
        session = await store.read("u:ann", READ_S)
        for kind, marks in (("purchase", session.purchased), ("return", session.returned)):
            kept = {item_hash(one.item_id) for one in batch[30:] if one.event_type == kind}
            assert set(marked(marks)) == kept

    async def test_what_comes_again_days_later_changes_nothing(
        self, store: SessionStore, clock: Clock
    ) -> None:
        kinds = ("view", "purchase", "return", "impression")
        batch = [event(f"e{n}", f"i{n % 90}", kinds[n % 4], 3000.0 - n) for n in range(400)]
        await store.record(batch)
        before = await store.read("u:ann", READ_S)
        clock.now_s += 5 * 86_400
        assert await store.record(batch[::-1]) == [DUPLICATE] * 400
        after = await store.read("u:ann", READ_S)
        assert (words(after), after.n_interactions) == (words(before), before.n_interactions)
        for name in ("purchased", "returned", "seen"):
            assert marked(getattr(after, name)) == marked(getattr(before, name))

    async def test_the_oldest_marks_give_way(self, store: SessionStore) -> None:
        await store.record(
            [event(f"e{n}", f"i{n}", "impression", ago_s=1000 - n) for n in range(230)]
        )
        seen = marked((await store.read("u:ann", READ_S)).seen)
        assert set(seen) == {item_hash(f"i{n}") for n in range(30, 230)}

    async def test_an_event_id_is_remembered_for_a_day(
        self, store: SessionStore, clock: Clock
    ) -> None:
        await store.record([event("e", "hat")])
        clock.now_s += 43_200
        await store.record([event("f", "cup")])
        clock.now_s += 43_199
        assert await store.record([event("e", "hat"), event("f", "cup")]) == [DUPLICATE] * 2

    async def test_ids_may_be_any_text(self, store: SessionStore) -> None:
        item, user = "größe %s \\x {1}:%d" + "漢" * 200, "u:{a}\r b"
        await store.record([event("é" * 256, item, user=user)])
        assert (await store.read(user, READ_S)).item_ids == (item,)
        assert (await store.read("u:{a}", READ_S)).item_ids == EMPTY_SESSION.item_ids

    async def test_nothing_recorded_is_nothing_stored(self, store: SessionStore) -> None:
        assert await store.record([]) == []

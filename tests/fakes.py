"""Stores in memory that keep the contracts of the real ones; for tests of what stands on them."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from service.domain.actions import ACTION_CODES, IMPRESSION
from service.domain.events import Event, EventOutcome
from service.domain.identity import LinkOutcome
from service.domain.items import ItemChanges, ItemUpdate, item_hash
from service.domain.releases import HistoryEntry, ReleasesOverview, ReleaseState, ReleaseStatus
from service.domain.sessions import EMPTY_SESSION, Marks, Session
from service.errors import Busy, ReleaseRefused, StoreUnavailable
from service.ports.serving import Clock
from service.stores.codec import Keep
from service.stores.item_fields import fields_of, read_fields

SEEN_BY = frozenset({IMPRESSION, "view", "click"})


@dataclass
class Person:
    """What is known of somebody, uncompressed."""

    event_ids: dict[bytes, float] = field(default_factory=dict)
    events: set[tuple[str, int, str, str]] = field(default_factory=set)
    """(id, at_ms, type, item), of all that ever was."""
    actions: list[tuple[int, str, str]] = field(default_factory=list)
    """(at_ms, type, item), oldest first."""
    bought: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """When an item was bought or, True, returned last."""
    seen: dict[str, tuple[int, bool]] = field(default_factory=dict)
    n_interactions: int = 0
    interests: tuple[str, ...] = ()
    links: list[str] = field(default_factory=list)
    """For an account its anonymous ids, for an anonymous id its account."""


class FakeSessions:
    """`service.ports.stores.SessionStore` in memory; `down` makes it fail with that outcome word.

    It remembers all event ids of the last `keep.dedupe_s` seconds and every event that ever was;
    the real store remembers a bounded number of ids, and tells by its marks and actions.
    """

    def __init__(self, clock: Clock, keep: Keep | None = None) -> None:
        self.clock = clock
        self.keep = keep or Keep()
        self.people: dict[str, Person] = {}
        self.down: str | None = None
        self.unreadable: set[str] = set()

    async def read(self, user: str, timeout_s: float) -> Session:
        self.check()
        person = self.people.get(user)
        if person is None:
            return EMPTY_SESSION
        return Session(
            item_ids=tuple(item for _, _, item in person.actions),
            action_types=np.array([ACTION_CODES[a] for _, a, _ in person.actions], dtype=np.int64),
            at_s=np.array([at_ms / 1000 for at_ms, _, _ in person.actions], dtype=np.float64),
            n_interactions=person.n_interactions,
            purchased=_marks({item: at for item, (at, back) in person.bought.items() if not back}),
            returned=_marks({item: at for item, (at, back) in person.bought.items() if back}),
            seen=_marks({item: at for item, (at, _) in person.seen.items()}),
            interests=person.interests,
            links=self._links(user, person),
        )

    async def read_all(self, users: Sequence[str], timeout_s: float) -> dict[str, Session]:
        found = {
            user: await self.read(user, timeout_s) for user in users if user not in self.unreadable
        }
        if not found:
            raise StoreUnavailable("timeout")
        return found

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        self.check()
        outcomes = [EventOutcome.DUPLICATE] * len(events)
        for position in sorted(range(len(events)), key=lambda i: events[i].at_s):
            if self._store(events[position]):
                outcomes[position] = EventOutcome.STORED
        return outcomes

    def _links(self, user: str, person: Person) -> tuple[str, ...]:
        """An anonymous id is told of the others of its account."""
        if user.startswith("u:") or not person.links:
            return tuple(person.links)
        account = self.people.get(person.links[0], Person())
        return (*person.links, *(one for one in account.links if one != user))

    def check(self) -> None:
        if self.down is not None:
            raise StoreUnavailable(self.down)

    def _store(self, event: Event) -> bool:
        person = self.people.setdefault(event.user, Person())
        known, now_s = hashlib.sha256(event.event_id.encode()).digest(), self.clock()
        at_ms = round(event.at_s * 1000)
        whole = (event.event_id, at_ms, event.event_type, event.item_id)
        is_recent = now_s - person.event_ids.get(known, -math.inf) < self.keep.dedupe_s
        if is_recent or whole in person.events:
            return False
        person.event_ids[known] = now_s
        person.events.add(whole)
        if event.event_type != IMPRESSION:
            self._add(person, at_ms, event)
        if event.event_type in SEEN_BY:
            _mark(person.seen, event.item_id, (at_ms // 1000, False), self.keep.seen)
        elif event.event_type in ("purchase", "return"):
            is_return = event.event_type == "return"
            _mark(person.bought, event.item_id, (at_ms // 1000, is_return), self.keep.purchased)
        return True

    def _add(self, person: Person, at_ms: int, event: Event) -> None:
        person.n_interactions += 1
        person.actions.append((at_ms, event.event_type, event.item_id))
        person.actions.sort(key=lambda action: action[0])  # stable
        del person.actions[: -self.keep.actions]


class FakeIdentities:
    """`service.ports.stores.IdentityStore` beside a `FakeSessions`."""

    def __init__(self, sessions: FakeSessions, ids_kept: int = 8) -> None:
        self.sessions = sessions
        self.ids_kept = ids_kept

    async def link(self, account: str, anonymous: str) -> LinkOutcome:
        its, other = self._person(account), self._person(anonymous)
        holder = other.links[0] if other.links else account
        if holder != account and anonymous in self._person(holder).links:
            return LinkOutcome.CONFLICT
        if other.links == [account] and anonymous in its.links:
            return LinkOutcome.ALREADY
        its.links = [one for one in its.links if one != anonymous] + [anonymous]
        other.links = [account]
        for dropped in its.links[: -self.ids_kept]:
            self._person(dropped).links = []
        del its.links[: -self.ids_kept]
        return LinkOutcome.LINKED

    async def unlink(self, account: str, anonymous: str) -> LinkOutcome:
        its, other = self._person(account), self._person(anonymous)
        if other.links != [account]:
            return LinkOutcome.ABSENT
        other.links = []
        its.links.remove(anonymous)
        return LinkOutcome.UNLINKED

    async def set_interests(self, user: str, names: Sequence[str]) -> None:
        self._person(user).interests = tuple(names)

    async def forget(self, user: str) -> tuple[str, ...]:
        gone = (user, *self._person(user).links)
        for one in gone:
            self.sessions.people.pop(one, None)
        return gone

    def _person(self, user: str) -> Person:
        self.sessions.check()
        return self.sessions.people.setdefault(user, Person())


class FakeItems:
    """`service.ports.stores.ItemStore` in memory; `down` makes it fail with that outcome word.

    Attributes:
        keeps: how many updates the log holds; who missed more reads everything.
    """

    def __init__(self, keeps: int = 1000) -> None:
        self.keeps = keeps
        self.log: list[ItemUpdate] = []
        self.down: str | None = None

    @property
    def stock(self) -> dict[str, int]:
        """The last word about the stock of each item."""
        return {one.item_id: one.stock for one in self.log if one.stock is not None}

    async def write(self, updates: Sequence[ItemUpdate]) -> None:
        self._check()
        self.log += updates

    async def read_all(self) -> ItemChanges:
        self._check()
        fields = {name: value for one in self.log for name, value in fields_of(one).items()}
        pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
        return ItemChanges(read_fields(pairs).updates, str(len(self.log)))

    async def read_since(self, position: str) -> ItemChanges:
        self._check()
        seen = int(position)
        if seen < len(self.log) - self.keeps:
            return await self.read_all()
        news = self.log[seen:]
        arrived = {one.item_id for one in news if one.new is not None}
        everything = (await self.read_all()).updates
        before = [one for one in everything if one.new is None and not one.attributes]
        updates = (*news, *(one for one in before if one.item_id in arrived))
        return ItemChanges(updates, str(len(self.log)), tuple(one.at_s for one in news))

    def _check(self) -> None:
        if self.down is not None:
            raise StoreUnavailable(self.down)


def _mark(marks: dict[str, tuple[int, bool]], item: str, mark: tuple[int, bool], keep: int) -> None:
    marks[item] = max(mark, marks.get(item, mark))
    if len(marks) > keep:
        del marks[min(marks, key=lambda known: (marks[known][0], _within_a_second(known)))]


def _within_a_second(item: str) -> int:
    return item_hash(item) & (1 << 48) - 1


def _marks(marks: Mapping[str, int]) -> Marks:
    order = sorted(marks, key=lambda item: (marks[item], _within_a_second(item)))
    return Marks(
        np.array([item_hash(item) for item in order], dtype=np.uint64),
        np.array([marks[item] for item in order], dtype=np.float64),
    )


@dataclass
class FakeAdmin:
    """`service.ports.admin.ReleaseAdmin` over releases that are only names.

    `store` maps each name to what is wrong with it: nothing, "worse" (the gate objects), or the
    reason of a refusal. While `is_busy`, everything that changes something is.
    """

    store: dict[str, str]
    live: str | None = None
    is_busy: bool = False
    previous: str | None = None
    states: dict[str, ReleaseStatus] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.live is not None:
            self._note(self.live, ReleaseState.LIVE)

    async def overview(self) -> ReleasesOverview:
        return ReleasesOverview(self.live, tuple(self.states.values()), tuple(self.history))

    async def load(self, name: str, by: str) -> ReleaseStatus:
        self._begin(name, "load", by)
        if name != self.live:
            self._note(name, ReleaseState.STAGED)
            self._write(name, "load", by, "staged")
        return self.states[name]

    async def activate(self, name: str, by: str, force: str = "") -> ReleaseStatus:
        self._begin(name, "activate", by)
        if self.store[name] == "worse" and not force and name != self.live:
            self._refuse(name, "activate", by, "gate_metrics")
        return self._switch(name, "activate", by, force)

    async def rollback(self, by: str) -> ReleaseStatus:
        self._begin(self.live or "", "rollback", by)
        if self.previous is None:
            raise ReleaseRefused("missing", "no release was live before this one: activate one")
        return self._switch(self.previous, "rollback", by)

    def _begin(self, name: str, action: str, by: str) -> None:
        if self.is_busy:
            raise Busy("another release is being loaded")
        wrong = self.store.get(name, "missing")
        if wrong not in ("", "worse"):
            self._refuse(name, action, by, wrong)

    def _switch(self, name: str, action: str, by: str, reason: str = "") -> ReleaseStatus:
        if self.live is not None and self.live != name:
            self.previous = self.live
            self._note(self.live, ReleaseState.PREVIOUS)
        self.live = name
        self._write(name, action, by, "live", reason)
        return self._note(name, ReleaseState.LIVE)

    def _refuse(self, name: str, action: str, by: str, reason: str) -> None:
        detail = f"{name} is wrong: publish it again"
        if name != self.live:
            self.states[name] = ReleaseStatus(name, ReleaseState.REFUSED, reason, detail)
        self._write(name, action, by, "refused", reason, detail)
        raise ReleaseRefused(reason, detail)

    def _note(self, name: str, state: ReleaseState) -> ReleaseStatus:
        facts = {"embedding_version": "tiny-1", "items": 30, "trained_through": None, "as_of": None}
        self.states[name] = ReleaseStatus(name, state, facts=facts)
        return self.states[name]

    def _write(self, name: str, action: str, by: str, *what: str) -> None:
        self.history.insert(0, HistoryEntry(1_700_000_000.0, name, action, by, *what))

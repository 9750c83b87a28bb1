"""What lists should know of a person, said as simply as possible, and a store beside it.

`python -m tests.service.stores.oracle 100000` runs that many random interleavings of events,
links, unlinks, interests, forgetting and reads against a real Redis.
"""

import random
import sys
import time
from dataclasses import dataclass, field

import uvloop

from service.domain.actions import ACTIONS, EVENT_TYPES
from service.domain.events import Event, EventOutcome
from service.domain.identity import LinkOutcome
from service.domain.items import item_hash
from service.domain.sessions import Session
from service.stages.identify import Identify
from service.stores.codec import Keep
from service.stores.identities import RedisIdentities
from service.stores.redis import RedisSessions
from tests.redis_server import redis_server
from tests.service.stores.contract import NOW_S, Clock, marked
from tests.service.stores.identity_contract import Stores, look_up
from tests.service.stores.stores import opened

ACCOUNTS = ("u:ann", "u:bob", "u:cleo")
ANONYMOUS = ("a:phone", "a:tablet", "a:laptop", "a:kiosk")
IDS_KEPT = 2
ITEMS = ("hat", "cup", "tie")
CATEGORIES = ("toys", "books", "garden")
SEEN_BY = ("impression", "view", "click")
STEPS = 12

Done = tuple[float, str, str]
"""When, what, with which item."""


@dataclass
class Known:
    """What is known under one id."""

    events: dict[str, Done] = field(default_factory=dict)
    interests: tuple[str, ...] = ()


@dataclass
class Oracle:
    """Everything that happened, and who is linked to whom; nothing is ever merged or moved."""

    known: dict[str, Known] = field(default_factory=dict)
    account_of: dict[str, str] = field(default_factory=dict)
    """By anonymous id, in the order of linking."""

    def ids(self, user: str) -> list[str]:
        account = self.account_of.get(user, user)
        return [account, *(one for one, its in self.account_of.items() if its == account)]

    def event(self, user: str, event_id: str, done: Done) -> bool:
        events = self.known.setdefault(user, Known()).events
        return events.setdefault(event_id, done) is done

    def link(self, account: str, anonymous: str) -> LinkOutcome:
        holder = self.account_of.get(anonymous)
        if holder is not None:
            return LinkOutcome.ALREADY if holder == account else LinkOutcome.CONFLICT
        self.account_of[anonymous] = account
        linked = self.ids(account)[1:]
        for dropped in linked[:-IDS_KEPT]:
            del self.account_of[dropped]
        return LinkOutcome.LINKED

    def unlink(self, account: str, anonymous: str) -> LinkOutcome:
        if self.account_of.get(anonymous) != account:
            return LinkOutcome.ABSENT
        del self.account_of[anonymous]
        return LinkOutcome.UNLINKED

    def forget(self, account: str) -> set[str]:
        ids = self.ids(account)
        for one in ids:
            self.known.pop(one, None)
            self.account_of.pop(one, None)
        return set(ids)

    def told(self, user: str) -> dict[str, object]:
        """What a list made for `user` has to know."""
        its = [self.known[one] for one in self.ids(user) if one in self.known]
        happened = [done for one in its for done in one.events.values()]
        actions = [done for done in happened if done[1] != "impression"]
        if len(self.ids(user)) > 1:
            actions = list(set(actions))
        return {
            "actions": sorted(actions),
            "interests": set().union(*(one.interests for one in its)),
            "purchased": _purchased(happened),
            "seen": _latest([done for done in happened if done[1] in SEEN_BY]),
        }


def _latest(happened: list[Done]) -> dict[int, float]:
    return {item_hash(item): at_s for at_s, _, item in sorted(happened)}


def _purchased(happened: list[Done]) -> dict[int, float]:
    bought = _latest([done for done in happened if done[1] == "purchase"])
    returned = _latest([done for done in happened if done[1] == "return"])
    return {item: at_s for item, at_s in bought.items() if returned.get(item, -1.0) < at_s}


def said(session: Session) -> dict[str, object]:
    """What a session knows, in the oracle's words."""
    types = [ACTIONS[code] for code in session.action_types]
    assert session.at_s.tolist() == sorted(session.at_s.tolist())
    return {
        "actions": sorted(zip(session.at_s.tolist(), types, session.item_ids, strict=True)),
        "interests": set(session.interests),
        "purchased": marked(session.purchased),
        "seen": marked(session.seen),
    }


class Both:
    """A store and the oracle; every step asserts that they agree."""

    def __init__(self, stores: Stores, suffix: str = "") -> None:
        self.stores, self.suffix = stores, suffix
        self.oracle = Oracle()
        self.identify = Identify(2)  # forgets and errs often

    async def event(self, user: str, kind: str, item: str, ago_s: int, event_id: int) -> None:
        done = (NOW_S - ago_s, kind, item)
        is_new = self.oracle.event(user, str(event_id), done)
        sent = Event(str(event_id), kind, user + self.suffix, item, NOW_S - ago_s)
        expected = EventOutcome.STORED if is_new else EventOutcome.DUPLICATE
        assert await self.stores.sessions.record([sent]) == [expected]

    async def link(self, account: str, anonymous: str) -> None:
        expected = self.oracle.link(account, anonymous)
        link = self.stores.identities.link
        assert await link(account + self.suffix, anonymous + self.suffix) is expected

    async def unlink(self, account: str, anonymous: str) -> None:
        expected = self.oracle.unlink(account, anonymous)
        unlink = self.stores.identities.unlink
        assert await unlink(account + self.suffix, anonymous + self.suffix) is expected

    async def declare(self, account: str, names: tuple[str, ...]) -> None:
        self.oracle.known.setdefault(account, Known()).interests = names
        await self.stores.identities.set_interests(account + self.suffix, names)

    async def forget(self, account: str) -> None:
        expected = {one + self.suffix for one in self.oracle.forget(account)}
        assert set(await self.stores.identities.forget(account + self.suffix)) == expected

    async def read(self, user: str) -> None:
        person, session = await look_up(self.stores, user + self.suffix, self.identify)
        assert set(person.ids) == {one + self.suffix for one in self.oracle.ids(user)}
        assert person.user == self.oracle.ids(user)[0] + self.suffix
        assert person.unread == 0
        assert said(session) == self.oracle.told(user)

    async def read_everybody(self) -> None:
        for user in (*ACCOUNTS, *ANONYMOUS):
            await self.read(user)

    async def random_step(self, chance: random.Random) -> None:
        account, anonymous = chance.choice(ACCOUNTS), chance.choice(ANONYMOUS)
        user, dice = chance.choice((account, anonymous)), chance.random()
        if dice < 0.35:
            kind, item = chance.choice(EVENT_TYPES), chance.choice(ITEMS)
            await self.event(user, kind, item, chance.randrange(20), chance.randrange(30))
        elif dice < 0.55:
            await self.link(account, anonymous)
        elif dice < 0.67:
            await self.unlink(account, anonymous)
        elif dice < 0.72:
            await self.declare(account, tuple(chance.sample(CATEGORIES, 2)))
        elif dice < 0.77:
            await self.forget(account)
        else:
            await self.read(user)


async def main(n: int, seed: int = 1) -> None:
    """Runs n interleavings; any difference ends it with the number of the interleaving."""
    began_s, chance = time.perf_counter(), random.Random(seed)
    with redis_server() as server, server.client() as plain:
        async with opened(server.url) as client:
            sessions = RedisSessions(client, Keep(), Clock())
            stores = Stores(sessions, RedisIdentities(client, sessions, IDS_KEPT, 100_000))
            for number in range(n):
                both = Both(stores, f"-{number}")
                for _ in range(STEPS):
                    await both.random_step(chance)
                await both.read_everybody()
                if number % 1000 == 999:
                    plain.flushall()
                    took_s = time.perf_counter() - began_s
                    sys.stdout.write(f"{number + 1} interleavings, no difference, {took_s:.0f} s\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))

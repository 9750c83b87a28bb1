"""Random interleavings of everything that changes a person, against a simple oracle."""

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from service.domain.actions import EVENT_TYPES
from service.stores.codec import Keep
from service.stores.identities import RedisIdentities
from service.stores.redis import RedisSessions
from tests.fakes import FakeIdentities, FakeSessions
from tests.redis_server import RedisServer
from tests.service.stores.contract import Clock
from tests.service.stores.identity_contract import Stores
from tests.service.stores.oracle import (
    ACCOUNTS,
    ANONYMOUS,
    CATEGORIES,
    IDS_KEPT,
    ITEMS,
    Both,
    Oracle,
)
from tests.service.stores.stores import opened

accounts, anonymous = st.sampled_from(ACCOUNTS), st.sampled_from(ANONYMOUS)
users = st.one_of(accounts, anonymous)


class Interleavings(RuleBasedStateMachine):
    """A store and the oracle beside it; subclasses say which store."""

    both: Both

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open()

    def open(self) -> None:
        sessions = FakeSessions(Clock())
        self.both = Both(Stores(sessions, FakeIdentities(sessions, IDS_KEPT)))

    def teardown(self) -> None:
        try:
            self.runner.run(self.both.read_everybody())
        finally:
            self.close()
            self.runner.close()

    def close(self) -> None:
        pass

    @rule(
        user=users,
        kind=st.sampled_from(EVENT_TYPES),
        item=st.sampled_from(ITEMS),
        ago_s=st.integers(0, 20),
        event_id=st.integers(0, 30),
    )
    def event(self, user: str, kind: str, item: str, ago_s: int, event_id: int) -> None:
        self.runner.run(self.both.event(user, kind, item, ago_s, event_id))

    @rule(account=accounts, one=anonymous)
    def link(self, account: str, one: str) -> None:
        self.runner.run(self.both.link(account, one))

    @rule(account=accounts, one=anonymous)
    def unlink(self, account: str, one: str) -> None:
        self.runner.run(self.both.unlink(account, one))

    @rule(account=accounts, names=st.lists(st.sampled_from(CATEGORIES), unique=True))
    def declare(self, account: str, names: list[str]) -> None:
        self.runner.run(self.both.declare(account, tuple(names)))

    @rule(account=accounts)
    def forget(self, account: str) -> None:
        self.runner.run(self.both.forget(account))

    @rule(user=users)
    def read(self, user: str) -> None:
        self.runner.run(self.both.read(user))


QUICK = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_fake_and_the_oracle_never_differ() -> None:
    run_state_machine_as_test(Interleavings, settings=QUICK)


def test_redis_and_the_oracle_never_differ(server: RedisServer) -> None:
    class OnRedis(Interleavings):
        def open(self) -> None:
            with server.client() as plain:
                plain.flushall()
            self.opening = opened(server.url)
            client = self.runner.run(self.opening.__aenter__())
            sessions = RedisSessions(client, Keep(), Clock())
            identities = RedisIdentities(client, sessions, IDS_KEPT, 100_000)
            self.both = Both(Stores(sessions, identities))

        def close(self) -> None:
            self.runner.run(self.opening.__aexit__(None, None, None))

    run_state_machine_as_test(OnRedis, settings=QUICK)


def test_the_oracle_would_notice() -> None:
    """A store that moves histories, or forgets to split them, does not get past it."""
    oracle = Oracle()
    oracle.event("u:ann", "1", (1.0, "view", "hat"))
    oracle.event("a:phone", "1", (1.0, "view", "hat"))
    oracle.link("u:ann", "a:phone")
    assert oracle.told("a:phone")["actions"] == [(1.0, "view", "hat")]
    oracle.unlink("u:ann", "a:phone")
    oracle.forget("u:ann")
    assert (oracle.told("u:ann")["actions"], oracle.ids("a:phone")) == ([], ["a:phone"])
    with pytest.raises(KeyError):
        oracle.known["u:ann"]

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.actions import EVENT_TYPES
from service.domain.events import Event
from service.ports.stores import SessionStore
from service.stores.codec import Keep
from service.stores.redis import RedisSessions
from tests.fakes import FakeSessions
from tests.redis_server import RedisServer
from tests.service.stores.contract import (
    NOW_S,
    READ_S,
    Clock,
    SessionStoreContract,
    marked,
    words,
)
from tests.service.stores.stores import opened


class TestRedisSessions(SessionStoreContract):
    @pytest.fixture
    async def store(self, server: RedisServer, clock: Clock) -> AsyncIterator[SessionStore]:
        async with opened(server.url) as client:
            yield RedisSessions(client, Keep(), clock)


class TestFakeSessions(SessionStoreContract):
    @pytest.fixture
    def store(self, clock: Clock) -> SessionStore:
        return FakeSessions(clock)


EVENTS = st.builds(
    Event,
    event_id=st.integers(0, 60).map(str),
    event_type=st.sampled_from(EVENT_TYPES),
    user=st.sampled_from(["u:a", "u:b"]),
    item_id=st.integers(0, 12).map("i{}".format),
    at_s=st.integers(0, 40).map(lambda ago_s: NOW_S - ago_s),
)
KEEP = Keep(actions=8, purchased=3, seen=4)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(EVENTS, max_size=12), max_size=6))
async def test_redis_and_the_plain_model_never_differ(
    server: RedisServer, batches: list[list[Event]]
) -> None:
    with server.client() as plain:
        plain.flushall()
    async with opened(server.url) as client:
        store: RedisSessions = RedisSessions(client, KEEP, Clock())
        model = FakeSessions(Clock(), KEEP)
        for batch in batches:
            assert await store.record(batch) == await model.record(batch)
        for user in ("u:a", "u:b"):
            real, told = await store.read(user, READ_S), await model.read(user, READ_S)
            assert words(real) == words(told)
            assert real.at_s.tolist() == told.at_s.tolist()
            assert real.n_interactions == told.n_interactions
            assert marked(real.purchased) == marked(told.purchased)
            assert marked(real.seen) == marked(told.seen)

"""Whatever was recorded once changes nothing when it comes again, in whatever order and parts."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from service.domain.actions import EVENT_TYPES
from service.domain.events import Event
from service.stores.client import RedisClient
from service.stores.codec import Keep
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer
from tests.service.stores.contract import DUPLICATE, NOW_S, STORED, Clock, event
from tests.service.stores.stores import opened

ANN = UserKeys.of("u:ann")
DAY_S = 86_400.0
TINY = Keep(actions=3, purchased=2, seen=2, event_ids=4)
"""So little that ids, actions and marks give way all the time."""
MINDFUL = replace(TINY, event_ids=512)
"""Remembers the ids of all events that come in a test."""
Batch = tuple[list[Event], float]
"""Events that come together, and how long after it the next ones come."""


def happened(ago: float, kind: str, item: str, twin: int) -> Event:
    return event(f"{ago} {kind} {item} {twin}", item, kind, ago)


histories = st.lists(
    st.builds(
        happened,
        st.sampled_from([0.5, 0.75, 1.0, 2.0, 3.0, 4.0, 9.0]),
        st.sampled_from(EVENT_TYPES),
        st.sampled_from(["hat", "cup", "tie", "bag"]),
        st.integers(0, 1),
    ),
    max_size=24,
)


@st.composite
def deliveries(draw: st.DrawFn, history: list[Event]) -> list[Batch]:
    """All events in any order, in any parts, with any pauses."""
    events = draw(st.permutations(history))
    batches = []
    while events:
        size = draw(st.integers(1, len(events)))
        batches.append((events[:size], draw(st.sampled_from([0.0, 0.0, DAY_S / 2, DAY_S]))))
        events = events[size:]
    return batches


@dataclass
class Shop:
    """A store for a test, and everything that is in it."""

    runner: asyncio.Runner
    client: RedisClient
    store: RedisSessions
    clock: Clock
    plain: Redis

    def deliver(self, batches: list[Batch]) -> set[str]:
        outcomes = set()
        for events, pause_s in batches:
            outcomes |= set(self.runner.run(self.store.record(events)))
            self.clock.now_s += pause_s
        return outcomes

    def content(self) -> dict[bytes, bytes | None]:
        return {key: self.plain.dump(key) for key in self.plain.scan_iter()}


@pytest.fixture
def shop(server: RedisServer, clock: Clock) -> Iterator[Shop]:
    with asyncio.Runner() as runner, server.client() as plain:
        opening = opened(server.url)
        client = runner.run(opening.__aenter__())
        yield Shop(runner, client, RedisSessions(client, TINY, clock), clock, plain)
        runner.run(opening.__aexit__(None, None, None))


THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@THOROUGH
@given(st.data())
def test_what_was_delivered_changes_nothing_when_it_is_delivered_again(
    shop: Shop, data: st.DataObject
) -> None:
    shop.plain.flushall()
    history = data.draw(histories)
    shop.deliver(data.draw(deliveries(history)))
    if data.draw(st.booleans()):  # a day without events
        shop.plain.delete(ANN.events)
    before = shop.content()
    assert shop.deliver(data.draw(deliveries(history * 2))) <= {DUPLICATE}
    assert shop.content() == before


@THOROUGH
@given(st.data())
def test_an_import_that_was_cut_short_may_start_again(shop: Shop, data: st.DataObject) -> None:
    once = [([one], 0.0) for one in sorted(data.draw(histories), key=lambda one: one.at_s)]
    cut = data.draw(st.integers(0, len(once)))
    shop.plain.flushall()
    shop.deliver(once)
    whole = shop.plain.get(ANN.session)
    shop.plain.flushall()
    shop.deliver(once[:cut])
    shop.deliver(once)
    assert shop.plain.get(ANN.session) == whole


@THOROUGH
@given(st.data())
def test_events_of_different_instants_may_come_in_any_order(
    shop: Shop, data: st.DataObject
) -> None:
    shop = replace(shop, store=RedisSessions(shop.client, MINDFUL, shop.clock))
    history = [
        replace(one, at_s=NOW_S - 100 + number / 4, event_id=str(number))
        for number, one in enumerate(data.draw(histories))
    ]
    shop.plain.flushall()
    assert shop.deliver([([one], 0.0) for one in history]) <= {STORED}
    in_order = shop.plain.get(ANN.session)
    shop.plain.flushall()
    shop.deliver([(events, 0.0) for events, _ in data.draw(deliveries(history))])
    assert shop.plain.get(ANN.session) == in_order

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.actions import EVENT_TYPES
from service.domain.events import Event, EventOutcome
from service.errors import StoreUnavailable
from service.ingest import EventRules, Ingest
from tests.factories import NOW_S
from tests.fakes import FakeSessions

DAY_S = 86_400.0
STORED, DUPLICATE = EventOutcome.STORED, EventOutcome.DUPLICATE
OUTCOMES = {STORED, DUPLICATE, EventOutcome.LATE, EventOutcome.FUTURE, EventOutcome.INVALID}
FINE = Event("e", "click", "u:ann", "i1", NOW_S - 60)


def now() -> float:
    return NOW_S


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions(now)


@pytest.fixture
def ingest(sessions: FakeSessions) -> Ingest:
    return Ingest(sessions, now)


async def test_each_event_gets_its_word_in_order(ingest: Ingest) -> None:
    result = await ingest.record(
        [
            FINE,
            replace(FINE, event_id="late", at_s=NOW_S - 366 * DAY_S),
            replace(FINE, event_id="f", item_id="unknown to any release"),
            replace(FINE, event_id="future", at_s=NOW_S + 301),
            FINE,
            replace(FINE, event_id="x", event_type="sneeze"),
        ]
    )
    assert result.outcomes == ("stored", "late", "stored", "future", "duplicate", "invalid")
    assert (result.accepted, result.duplicates, len(result.rejected)) == (2, 1, 3)
    assert [(r.index, r.code) for r in result.rejected] == [
        (1, "late"),
        (3, "future"),
        (5, "invalid"),
    ]
    assert "event_type is none of" in result.rejected[2].detail


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"event_type": "IMPRESSION"}, "event_type"),
        ({"at_s": float("nan")}, "timestamp"),
        ({"at_s": float("inf")}, "timestamp"),
        ({"at_s": -1.0}, "timestamp"),
        ({"value": float("inf")}, "value"),
        ({"event_id": ""}, "event_id"),
        ({"item_id": "a\nb"}, "item_id"),
        ({"item_id": "a\x00"}, "item_id"),
        ({"item_id": "\ud800"}, "item_id"),
        ({"item_id": "x" * 257}, "item_id"),
        ({"user": "u:\n"}, "person"),
        ({"user": ""}, "person"),
    ],
)
async def test_an_unusable_event_is_rejected_with_a_reason(
    ingest: Ingest, fault: dict[str, object], word: str
) -> None:
    result = await ingest.record([replace(FINE, **fault), FINE])  # type: ignore[arg-type]
    assert result.outcomes == ("invalid", "stored")
    assert word in result.rejected[0].detail


async def test_events_just_within_the_bounds_are_taken(ingest: Ingest) -> None:
    result = await ingest.record(
        [
            replace(FINE, event_id="a", at_s=NOW_S - 365 * DAY_S),
            replace(FINE, event_id="b", at_s=NOW_S + 300),
            replace(FINE, event_id="c", item_id="ß" * 256, value=float("nan")),
        ]
    )
    assert result.accepted == 3


async def test_the_rules_can_be_set(sessions: FakeSessions) -> None:
    ingest = Ingest(sessions, now, EventRules(late_after_s=10))
    assert (await ingest.record([FINE])).outcomes == ("late",)


async def test_a_call_with_nothing_to_store_does_not_need_the_store(
    ingest: Ingest, sessions: FakeSessions
) -> None:
    sessions.down = "refused"
    assert (await ingest.record([replace(FINE, event_type="?")])).outcomes == ("invalid",)
    assert (await ingest.record([])).outcomes == ()


async def test_a_store_that_is_down_is_said_and_sending_again_is_safe(
    ingest: Ingest, sessions: FakeSessions
) -> None:
    sessions.down = "refused"
    with pytest.raises(StoreUnavailable):
        await ingest.record([FINE])
    sessions.down = None
    assert (await ingest.record([FINE])).accepted == 1
    assert (await ingest.record([FINE])).duplicates == 1


@given(
    st.lists(
        st.builds(
            Event,
            event_id=st.sampled_from(["", "a", "b", "c\n"]),
            event_type=st.sampled_from([*EVENT_TYPES, "other"]),
            user=st.sampled_from(["u:1", "u:2"]),
            item_id=st.text(max_size=3),
            at_s=st.floats(NOW_S - 400 * DAY_S, NOW_S + 600) | st.just(float("nan")),
        ),
        max_size=30,
    )
)
async def test_sent_is_accepted_and_duplicates_and_rejected(events: list[Event]) -> None:
    ingest = Ingest(FakeSessions(now), now)
    result = await ingest.record(events)
    assert len(events) == result.accepted + result.duplicates + len(result.rejected)
    assert len(events) == len(result.outcomes)
    assert set(result.outcomes) <= OUTCOMES

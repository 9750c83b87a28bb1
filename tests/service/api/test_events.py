"""POST /v1/events: each event is judged on its own, and nothing is silently lost."""

import httpx
import pytest

from service.settings.tree import Settings
from tests.factories import NOW_S
from tests.service.api.world import World


def make_event(event_id: str = "e-1", **changes: object) -> dict[str, object]:
    event: dict[str, object] = {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "ann",
        "item_id": "i3",
        "timestamp": NOW_S - 5,
    }
    return {name: value for name, value in {**event, **changes}.items() if value is not None}


async def send(client: httpx.AsyncClient, *events: object) -> dict[str, object]:
    response = await client.post("/v1/events", json={"events": list(events)})
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


async def test_an_event_changes_the_next_answer(client: httpx.AsyncClient) -> None:
    before = (await client.get("/v1/recommend/ann?k=3")).json()
    assert await send(client, make_event()) == {"accepted": 1, "duplicates": 0, "rejected": []}
    after = (await client.get("/v1/recommend/ann?k=3")).json()
    assert (before["segment"], after["segment"]) == ("new", "sparse")
    assert after["signal"] == {"actions": 1, "age_s": 5.0, "session_actions": 1}


async def test_the_same_event_counts_once(world: World, client: httpx.AsyncClient) -> None:
    await send(client, make_event())
    answer = await send(client, make_event(), make_event("e-2"))
    assert answer == {"accepted": 1, "duplicates": 1, "rejected": []}
    labels = {"type": "view", "outcome": "duplicate"}
    assert world.sample("retrieval_events_total", **labels) == 1


async def test_bad_events_do_not_stop_good_ones(world: World, client: httpx.AsyncClient) -> None:
    answer = await send(
        client,
        make_event("a", event_type="stare"),
        make_event("b"),
        make_event("c", timestamp=12),
        make_event("d", user_id=None),
        "not an object",
        make_event("f", timestamp=NOW_S + 3600),
        make_event("g", timestamp=NOW_S - 400 * 86_400),
        make_event("h", user_id=None, anonymous_id="d-1"),
        make_event("i", color="red"),
    )
    assert (answer["accepted"], answer["duplicates"]) == (2, 0)
    rejected = answer["rejected"]
    assert isinstance(rejected, list)
    assert [(entry["index"], entry["code"]) for entry in rejected] == [
        (0, "invalid"),
        (2, "timestamp_ambiguous"),
        (3, "invalid"),
        (4, "invalid"),
        (5, "future"),
        (6, "late"),
        (8, "invalid"),
    ]
    assert rejected[-1]["detail"] == "color: unknown field"
    sample = world.sample
    assert sample("retrieval_events_total", type="view", outcome="stored") == 2
    assert sample("retrieval_events_total", type="view", outcome="invalid") == 3
    assert sample("retrieval_events_total", type="other", outcome="invalid") == 2
    assert sample("retrieval_event_lag_seconds_sum") == 10.0


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        (1_700_000_000, None),
        (1_700_000_000.25, None),
        (1_700_000_000_000, None),
        ("2023-11-14T22:13:20Z", None),
        ("2023-11-14T23:13:20+01:00", None),
        ("2023-11-14T22:13:20", "timestamp_ambiguous"),
        ("2023-11-14", "timestamp_ambiguous"),
        ("1700000000", "timestamp_ambiguous"),
        (1_700_000_000_000_000, "timestamp_ambiguous"),
        (20_231_114, "timestamp_ambiguous"),
        (-1, "timestamp_ambiguous"),
        ("yesterday", "timestamp_invalid"),
        ("9" * 100, "timestamp_invalid"),
        (True, "timestamp_invalid"),
        ([], "timestamp_invalid"),
    ],
)
async def test_a_timestamp_is_understood_or_rejected_never_guessed(
    client: httpx.AsyncClient, timestamp: object, code: str | None
) -> None:
    answer = await send(client, make_event(timestamp=timestamp))
    rejected = answer["rejected"]
    assert isinstance(rejected, list)
    assert [entry["code"] for entry in rejected] == ([] if code is None else [code])


async def test_an_event_without_a_time_happened_now(client: httpx.AsyncClient) -> None:
    await send(client, make_event(timestamp=None))
    answer = (await client.get("/v1/recommend/ann")).json()
    assert answer["signal"]["age_s"] == 0.0


async def test_a_store_that_is_down_is_503_and_nothing_is_lost(
    world: World, client: httpx.AsyncClient
) -> None:
    world.sessions.down = "refused"
    response = await client.post("/v1/events", json={"events": [make_event()]})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["type"] == "/problems/store-unavailable"
    labels = {"type": "view", "outcome": "dropped"}
    assert world.sample("retrieval_events_total", **labels) == 1
    world.sessions.down = None
    assert (await send(client, make_event()))["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "events"),
        ({"events": []}, "events"),
        ({"events": [{}] * 501}, "events"),
        ({"events": {}}, "events"),
        ({"events": [{}], "source": "x"}, "source"),
        ([], "body"),
    ],
)
async def test_the_call_itself_must_be_a_batch(
    client: httpx.AsyncClient, body: object, field: str
) -> None:
    response = await client.post("/v1/events", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


async def test_five_hundred_events_fit(client: httpx.AsyncClient) -> None:
    events = [make_event(f"e-{i}", user_id=f"u{i % 7}") for i in range(500)]
    assert (await send(client, *events))["accepted"] == 500


async def test_a_flood_of_one_person_is_held_back_and_others_are_not() -> None:
    """F65: what is beyond the share is refused by event, or by call where nothing else is left."""
    quota = {"person_events_per_s": 0.001, "person_events_burst": 3}
    world = World(settings=Settings.model_validate({"limits": quota}))
    flood = [make_event(f"f{n}") for n in range(5)]
    async with world.client() as client:
        answer = await send(client, *flood, make_event("other", user_id="bob"))
        refused = await client.post("/v1/events", json={"events": [make_event("more")]})
    assert answer["accepted"] == 4
    codes = [(entry["index"], entry["code"]) for entry in answer["rejected"]]  # type: ignore[attr-defined]
    assert codes == [(3, "rate_limited"), (4, "rate_limited")]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"] == "/problems/rate-limited"
    assert world.sample("retrieval_events_total", type="view", outcome="dropped") == 3

"""POST /v1/recommend and GET /v1/recommend/{user_id}."""

import json
import logging
import math

import httpx
import pytest

from service.domain.sources import Source
from service.errors import IndexUnavailable
from service.monitoring.logs import REQUESTS, JsonFormatter
from service.settings.serving import Server
from service.settings.tree import Settings
from tests.factories import NOW_S, NearestRows, make_catalogue, make_release
from tests.service.api.world import World

VIEWED = [{"item_id": "i3", "event_type": "view", "timestamp": NOW_S - 60}]


async def test_a_guest_with_actions_gets_near_items_and_the_whole_answer(
    client: httpx.AsyncClient,
) -> None:
    body = {"k": 5, "recent_actions": VIEWED, "explore": 0.0}
    answer = (await client.post("/v1/recommend", json=body)).json()
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert {"again", "ann"} <= {item["source"] for item in answer["items"]}
    assert (answer["requested"], answer["count"], answer["segment"]) == (5, 5, "guest")
    assert answer["degraded"] == {"is_degraded": False, "reasons": []}
    assert answer["versions"] == {"release": "tiny", "embedding": "tiny-1"}
    assert answer["signal"] == {"actions": 1, "age_s": 60.0, "session_actions": 1}
    assert {"total", "parse", "lookup", "embed", "retrieve", "truncate"} <= set(answer["timing_ms"])
    assert "explain" not in answer


async def test_ladder_items_have_no_score(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/recommend", json={"user_id": "nobody", "k": 3})).json()
    assert answer["segment"] == "new"
    assert {item["source"] for item in answer["items"]} <= {"trending", "popular"}
    assert all(item["score"] is None for item in answer["items"])


async def test_explored_items_carry_their_propensity(client: httpx.AsyncClient) -> None:
    body = {"k": 5, "recent_actions": VIEWED, "explore": 0.4}
    items = (await client.post("/v1/recommend", json=body)).json()["items"]
    for item in items:
        is_explored = item["source"] == Source.EXPLORATION.word
        assert (item["propensity"] is not None) == is_explored
    assert any(item["source"] == "exploration" for item in items)


async def test_false_switches_exploration_off(client: httpx.AsyncClient) -> None:
    body = {"k": 5, "recent_actions": VIEWED, "explore": False}
    items = (await client.post("/v1/recommend", json=body)).json()["items"]
    assert all(item["propensity"] is None for item in items)


async def test_get_answers_like_post(client: httpx.AsyncClient) -> None:
    posted = (await client.post("/v1/recommend", json={"user_id": "ann", "k": 4})).json()
    response = await client.get("/v1/recommend/ann", params={"k": 4})
    assert response.status_code == 200
    assert [i["item_id"] for i in response.json()["items"]] == [
        i["item_id"] for i in posted["items"]
    ]


async def test_ids_in_a_path_may_hold_slashes_and_any_script(
    world: World, client: httpx.AsyncClient
) -> None:
    event = {"event_id": "1", "event_type": "view", "user_id": "a/b ü?", "item_id": "i3"}
    await client.post("/v1/events", json={"events": [event]})
    answer = (await client.get("/v1/recommend/a%2Fb%20%C3%BC%3F?k=2")).json()
    assert answer["signal"]["actions"] == 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/recommend/ann?k=0", "k"),
        ("/v1/recommend/ann?k=many", "k"),
        ("/v1/recommend/ann?speed=9", "speed"),
        ("/v1/recommend/ann?k=1&k=2", "k"),
        ("/v1/recommend/ann?user_id=bob", "user_id"),
        ("/v1/recommend/?k=2", "user_id"),
        ("/v1/recommend/%FF", "user_id"),
        ("/v1/recommend/a%00b", "user_id"),
        ("/v1/recommend/ann?country=%FF", "query"),
        ("/v1/recommend/ann?explore=nan", "explore"),
    ],
)
async def test_a_bad_query_names_the_parameter(
    client: httpx.AsyncClient, path: str, field: str
) -> None:
    response = await client.get(path)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_explain_tells_stages_and_notes(client: httpx.AsyncClient) -> None:
    body = {"k": 2, "recent_actions": VIEWED, "explain": True}
    explanation = (await client.post("/v1/recommend", json=body)).json()["explain"]
    assert explanation["stages"][0]["stage"] == "parse"
    assert {"stages", "person", "notes"} == set(explanation)


async def test_actions_brought_along_are_ordered_by_time(
    world: World, client: httpx.AsyncClient
) -> None:
    actions = [
        {"item_id": "i3", "event_type": "view"},
        {"item_id": "i9", "event_type": "click", "timestamp": NOW_S - 30},
        {"item_id": "i8", "event_type": "click", "timestamp": (NOW_S - 90) * 1000},
        {"item_id": "i7", "event_type": "click", "timestamp": "2023-11-14T22:12:00+00:00"},
    ]
    answer = (await client.post("/v1/recommend", json={"recent_actions": actions})).json()
    assert answer["signal"] == {"actions": 4, "age_s": 0.0, "session_actions": 4}
    actions.pop(0)
    answer = (await client.post("/v1/recommend", json={"recent_actions": actions})).json()
    assert answer["signal"] == {"actions": 3, "age_s": 30.0, "session_actions": 3}


async def test_an_action_from_the_future_is_refused(client: httpx.AsyncClient) -> None:
    action = {"item_id": "i3", "event_type": "view", "timestamp": NOW_S + 301}
    response = await client.post("/v1/recommend", json={"recent_actions": [action]})
    assert response.json()["errors"][0]["field"] == "recent_actions.0.timestamp"


async def test_unknown_items_are_ignored_and_listed(client: httpx.AsyncClient) -> None:
    body = {"k": 3, "exclude_item_ids": ["i1", "no-such"], "recent_actions": VIEWED}
    answer = (await client.post("/v1/recommend", json=body)).json()
    assert answer["missing_ids"] == ["no-such"]
    assert "i1" not in [item["item_id"] for item in answer["items"]]
    assert answer["rules"]["excluded"] == 1


async def test_headers_say_release_stages_and_request_id(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/recommend", json={"k": 2}, headers={"X-Request-ID": "page-7.a"}
    )
    assert response.headers["x-request-id"] == "page-7.a"
    assert response.headers["x-release"] == "tiny"
    stages = [entry.split(";")[0] for entry in response.headers["server-timing"].split(", ")]
    assert stages[0] == "parse"
    assert stages[-1] == "encode"


async def test_an_unsafe_request_id_is_replaced(client: httpx.AsyncClient) -> None:
    for given in ("a b", "x" * 129, "é".encode("latin-1")):
        headers = {"X-Request-ID": given}
        response = await client.post("/v1/recommend", json={"k": 1}, headers=headers)  # type: ignore[arg-type]
        assert len(response.headers["x-request-id"]) == 32


async def test_redis_down_is_a_degraded_answer(world: World, client: httpx.AsyncClient) -> None:
    world.sessions.down = "refused"
    answer = (await client.post("/v1/recommend", json={"user_id": "ann", "k": 3})).json()
    assert answer["count"] == 3
    assert answer["degraded"] == {"is_degraded": True, "reasons": ["session"]}
    labels = {"stage": "lookup", "reason": "unavailable"}
    assert world.sample("retrieval_stage_errors_total", **labels) == 1


async def test_a_broken_index_is_a_degraded_answer() -> None:
    catalogue = make_catalogue(30)
    broken = NearestRows(catalogue.vectors, broken=True)
    with pytest.raises(IndexUnavailable):
        broken.search(catalogue.vectors[0], 1)
    world = World(make_release(catalogue, index=broken))
    async with world.client() as client:
        body = {"k": 3, "recent_actions": VIEWED}
        answer = (await client.post("/v1/recommend", json=body)).json()
    assert answer["count"] == 3
    assert "index" in answer["degraded"]["reasons"]


async def test_without_a_release_it_is_503_with_retry_after() -> None:
    world = World(release=None)
    async with world.client() as client:
        response = await client.post("/v1/recommend", json={"k": 1})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    assert response.json()["type"] == "/problems/not-ready"
    assert world.sample("retrieval_requests_shed_total", reason="no_release") == 1


@pytest.mark.parametrize("left", ["0", "1", "-5", "1.9"])
async def test_an_expired_deadline_is_refused_without_work(
    world: World, client: httpx.AsyncClient, left: str
) -> None:
    headers = {"X-Request-Timeout-Ms": left}
    response = await client.post("/v1/recommend", json={"k": 1}, headers=headers)
    assert response.status_code == 503
    assert response.json()["type"] == "/problems/deadline-expired"
    assert response.headers["retry-after"] == "1"
    assert world.sample("retrieval_requests_shed_total", reason="deadline") == 1
    assert world.sample("retrieval_stage_duration_seconds_count", stage="lookup") == 0


@pytest.mark.parametrize("left", ["abc", "nan", "inf", ""])
async def test_a_deadline_that_is_no_number_is_named(client: httpx.AsyncClient, left: str) -> None:
    headers = {"X-Request-Timeout-Ms": left}
    response = await client.post("/v1/recommend", json={"k": 1}, headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "X-Request-Timeout-Ms"


async def test_lists_are_counted_by_route_and_source(
    world: World, client: httpx.AsyncClient
) -> None:
    await client.post("/v1/recommend", json={"user_id": "ann", "k": 2})
    await client.get("/v1/recommend/ann")
    for method, route in (("POST", "/v1/recommend"), ("GET", "/v1/recommend/{user_id}")):
        labels = {"route": route, "method": method, "code": "200"}
        assert world.sample("retrieval_http_requests_total", **labels) == 1
    assert world.sample("retrieval_http_requests_in_progress") == 0
    assert world.sample("retrieval_identity_total", result="resolved") == 2
    assert not math.isnan(world.sample("retrieval_candidates_returned_sum"))


async def test_the_log_line_names_no_person(caplog: pytest.LogCaptureFixture) -> None:
    world = World(settings=Settings(server=Server(log_share=1.0)))
    with caplog.at_level(logging.INFO):
        async with world.client() as client:
            await client.get("/v1/recommend/ann-secret?k=2")
    (record,) = (record for record in caplog.records if record.name == REQUESTS)
    line = json.loads(JsonFormatter().format(record))
    assert line["route"] == "/v1/recommend/{user_id}"
    assert (line["status"], line["segment"], line["count"]) == (200, "new", 2)
    assert "ann-secret" not in json.dumps(line)

"""What is refused before any work, and how every refusal reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.api import exchange as exchange_module
from service.api.edge import Edge
from service.settings.serving import Limits
from service.settings.tree import Settings
from tests.service.api.world import World

JSON = {"content-type": "application/json"}


async def post(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/recommend", content=content, headers={**JSON, **headers})


def check_problem(response: httpx.Response, status: int, name: str) -> None:
    """Every error has the same shape and tells nothing of the inside."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"/problems/{name}"
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    for word in ("Traceback", "site-packages", "pydantic", "/service/"):
        assert word not in response.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"k": NaN}',
        b'{"k": Infinity}',
        b'{"k": 1} {}',
        b'{"k": 1, "k": 2}',
        b'{"user_id": "\xff"}',
        b'{"k": ' + b"9" * 5000 + b"}",
        b"[" * 1000,
        b'{"a":' * 10_000,
        b"[" * 60_000,
    ],
)
async def test_what_is_not_json_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    check_problem(await post(client, content), 400, "malformed-json")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"[]", "body"),
        (b"1", "body"),
        (b'{"k": 0}', "k"),
        (b'{"k": 501}', "k"),
        (b'{"k": "10"}', "k"),
        (b'{"k": 10.5}', "k"),
        (b'{"k": true}', "k"),
        (b'{"user_id": ""}', "user_id"),
        (b'{"user_id": 7}', "user_id"),
        (b'{"user_id": "a\\u0000b"}', "user_id"),
        (b'{"user_id": "a\\nb"}', "user_id"),
        (b'{"user_id": "\\ud800"}', "user_id"),
        (b'{"user_id": "' + b"x" * 257 + b'"}', "user_id"),
        (b'{"colour": 1}', "colour"),
        (b'{"\\ud800": 1}', "body"),
        (b'{"timeout_ms": 1e999}', "timeout_ms"),
        (b'{"timeout_ms": 1001}', "timeout_ms"),
        (b'{"explore": 1.5}', "explore"),
        (b'{"explore": true}', "explore"),
        (b'{"strict": "yes"}', "strict"),
        (b'{"context": {"country": 1}}', "context.country"),
        (b'{"filters": {"price": {"min": "1"}}}', "filters.price.min"),
        (b'{"filters": {"price": ["cheap"]}}', "filters.price.any"),
        (b'{"filters": {"price": true}}', "filters.price.is"),
        (b'{"filters": {"category": "toys"}}', "filters.category"),
        (b'{"filters": {"category": {"min": 1}}}', "filters.category.min"),
        (b'{"filters": {"category": {"all": ["toys"]}}}', "filters.category.all"),
        (b'{"filters": {"is_new": ["yes"]}}', "filters.is_new.any"),
        (b'{"filters": {"brand": ["x"]}}', "filters.brand"),
        (b'{"exclude_item_ids": "i1"}', "exclude_item_ids"),
        (b'{"exclude_item_ids": ["i1", ""]}', "exclude_item_ids.1"),
        (b'{"recent_actions": [{"item_id": "i1"}]}', "recent_actions.0.event_type"),
        (
            b'{"recent_actions": [{"item_id": "i1", "event_type": "impression"}]}',
            "recent_actions.0.event_type",
        ),
        (
            b'{"recent_actions": [{"item_id": "i1", "event_type": "view", "timestamp": 5}]}',
            "recent_actions.0.timestamp",
        ),
    ],
)
async def test_a_wrong_field_is_422_and_named(
    client: httpx.AsyncClient, content: bytes, field: str
) -> None:
    response = await post(client, content)
    check_problem(response, 422, "invalid-field")
    assert field in [error["field"] for error in response.json()["errors"]]


async def test_ids_of_any_script_are_fine(client: httpx.AsyncClient) -> None:
    for user in ("ü", "😀" * 256, "שלום\u202e", "..", "a b", "'; DROP TABLE"):
        response = await client.post("/v1/recommend", json={"user_id": user, "k": 1})
        assert response.status_code == 200, user


async def test_long_texts_are_not_echoed(client: httpx.AsyncClient) -> None:
    response = await post(client, b'{"' + b"x" * 10_000 + b'": 1}')
    check_problem(response, 422, "invalid-field")
    assert len(response.content) < 1000


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/v1/recommend", content=b"{}", headers=headers)
    check_problem(response, 415, "unsupported-media-type")


async def test_a_charset_is_fine(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    response = await client.post("/v1/recommend", content=b"{}", headers=headers)
    assert response.status_code == 200


async def test_a_body_above_the_limit_is_413_before_it_is_read(client: httpx.AsyncClient) -> None:
    response = await post(client, b'{"k": 1}'.ljust(65_537))
    check_problem(response, 413, "body-too-large")
    assert response.headers["connection"] == "close"
    assert (await post(client, b'{"k": 1}'.ljust(65_536))).status_code == 200


async def test_a_chunked_body_is_cut_off_at_the_limit(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1024
            yield b" " * 1024

    response = await client.post("/v1/recommend", content=endless(), headers=JSON)
    check_problem(response, 413, "body-too-large")


async def test_events_have_a_limit_of_their_own(client: httpx.AsyncClient) -> None:
    content = b'{"events": []}'
    response = await client.post("/v1/events", content=content.ljust(262_144), headers=JSON)
    assert response.status_code == 422
    response = await client.post("/v1/events", content=content.ljust(262_145), headers=JSON)
    check_problem(response, 413, "body-too-large")


async def test_long_paths_and_heavy_headers_are_refused(client: httpx.AsyncClient) -> None:
    check_problem(await client.get("/v1/recommend/" + "x" * 9000), 414, "uri-too-long")
    check_problem(await client.get("/livez", headers={"x": "y" * 17_000}), 431, "headers-too-large")
    many = {f"x-{i}": "y" for i in range(100)}
    check_problem(await client.get("/livez", headers=many), 431, "headers-too-large")


async def test_unknown_paths_and_methods(world: World, client: httpx.AsyncClient) -> None:
    for path in ("/", "/v1", "/v1/recommendation", "/livez/", "/redoc"):
        check_problem(await client.get(path), 404, "not-found")
    response = await client.request("DELETE", "/v1/recommend")
    check_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"
    check_problem(await client.post("/livez"), 405, "method-not-allowed")
    labels = {"route": "__other__", "method": "GET", "code": "404"}
    assert world.sample("retrieval_http_requests_total", **labels) == 5
    assert world.sample("retrieval_requests_rejected_total", reason="not_found") == 5
    assert world.sample("retrieval_requests_rejected_total", reason="method") == 2


async def test_limits_can_be_lowered() -> None:
    limits = Limits(k_max=10, id_chars=5, excluded_max=1, recent_actions_max=0, events_max=1)
    world = World(settings=Settings(limits=limits))
    action = {"item_id": "i1", "event_type": "view"}
    async with world.client() as client:
        for body, field in (
            ({"k": 11}, "k"),
            ({"user_id": "abcdef"}, "ids"),
            ({"exclude_item_ids": ["a", "b"]}, "exclude_item_ids"),
            ({"recent_actions": [action]}, "recent_actions"),
        ):
            response = await client.post("/v1/recommend", json=body)
            assert response.json()["errors"][0]["field"] == field
        response = await client.post("/v1/events", json={"events": [{}, {}]})
        assert response.json()["errors"][0]["field"] == "events"


async def test_a_defect_is_500_without_a_trace_and_is_counted(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.metrics, "render", lambda: 1 / 0)
    monkeypatch.setattr(world.releases, "release", object())
    check_problem(await client.post("/v1/recommend", json={}), 500, "internal")
    check_problem(await client.get("/metrics"), 500, "internal")
    assert world.sample("retrieval_unhandled_errors_total") == 2
    assert world.sample("retrieval_http_requests_in_progress") == 0


async def call(app: Edge, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Speaks ASGI by hand: these messages are received, then nothing more comes."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/recommend",
        "raw_path": b"/v1/recommend",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    return sent


async def test_a_caller_that_hangs_up_gets_nothing_and_is_counted(world: World) -> None:
    part = {"type": "http.request", "body": b'{"k"', "more_body": True}
    assert await call(world.app, [part, {"type": "http.disconnect"}]) == []
    assert world.sample("retrieval_client_disconnects_total") == 1
    labels = {"route": "/v1/recommend", "method": "POST", "code": "499"}
    assert world.sample("retrieval_http_requests_total", **labels) == 1


async def test_a_body_that_never_ends_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "BODY_TIMEOUT_S", 0.01)
    part = {"type": "http.request", "body": b'{"k"', "more_body": True}
    sent = await call(world.app, [part])
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]

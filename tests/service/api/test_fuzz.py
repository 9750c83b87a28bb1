"""Whatever is sent, the answer is never a 500 and always JSON of a documented shape."""

import asyncio
import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.answers import EventsAnswer, ListAnswer, ProblemAnswer
from service.api.schemas import EventBody, RecommendBody, SimilarBody
from tests.service.api.world import World

FIELDS = sorted(
    {*RecommendBody.model_fields, *SimilarBody.model_fields, *EventBody.model_fields, "events"}
)
TEXTS = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(["i1", "view", "", "ü"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXTS
    | st.sampled_from([1, 20, 500, 1_700_000_000, "view", "purchase", "2023-11-14T22:13:20Z"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | TEXTS, inner, max_size=5)
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=80),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6).map(
        lambda value: json.dumps(value).encode()
    ),
    st.lists(st.fixed_dictionaries({}, optional={name: SCALARS for name in EventBody.model_fields}))
    .map(lambda events: json.dumps({"events": events[:5]}).encode()),
)  # fmt: skip
PATHS = st.sampled_from(["/v1/recommend", "/v1/similar", "/v1/events"])
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
WORLD = World()


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        async with WORLD.client() as client:
            return await client.request(method, url, **options)

    return asyncio.run(once())


def check(response: httpx.Response, path: str) -> None:
    assert response.status_code in (200, 400, 404, 405, 414, 415, 422), response.text
    if response.status_code != 200:
        ProblemAnswer.model_validate_json(response.content)
    elif path == "/v1/events":
        EventsAnswer.model_validate_json(response.content)
    else:
        ListAnswer.model_validate_json(response.content)


@given(PATHS, BODIES)
@FUZZ
def test_no_body_breaks_a_route(path: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    check(ask("POST", path, content=body, headers=headers), path)


@given(st.binary(max_size=30), st.binary(max_size=30))
@FUZZ
def test_no_path_or_query_breaks_a_route(user: bytes, query: bytes) -> None:
    url = "/v1/recommend/" + "".join(f"%{byte:02x}" for byte in user)
    check(ask("GET", url + "?k=" + "".join(f"%{byte:02x}" for byte in query)), url)


@given(
    st.binary(max_size=80),
    st.sampled_from([":load", ":activate", ":rollback", "/shadow", ""]),
    st.binary(max_size=80),
)
@FUZZ
def test_no_name_of_a_release_breaks_a_route(name: bytes, ending: str, token: bytes) -> None:
    url = "/v1/releases/" + "".join(f"%{byte:02x}" for byte in name) + ending
    method = "GET" if ending == "/shadow" else "POST"
    response = ask(method, url, headers={"authorization": b"Bearer " + token})
    assert response.status_code in (403, 404, 422), response.text
    ProblemAnswer.model_validate_json(response.content)


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40))
@FUZZ
def test_no_header_breaks_a_route(value: str) -> None:
    headers = {name: value.encode("latin-1") for name in ("X-Request-ID", "X-Request-Timeout-Ms")}
    response = ask("POST", "/v1/recommend", json={}, headers=headers)
    assert response.status_code in (200, 422, 503)
    assert response.headers["x-request-id"].isprintable()


async def test_no_method_breaks_a_route() -> None:
    paths = ("/v1/recommend", "/v1/recommend/x", "/v1/events", "/v1/items/x", "/livez", "/metrics")
    async with WORLD.client() as client:
        closed = ("/v1/releases", "/v1/releases/x:load", "/v1/releases/x/shadow")
        for path in (*paths, *closed, "/nothing", "//", "/..", "/v1/items/"):
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
                response = await client.request(method, path)
                assert response.status_code in (200, 403, 404, 405, 415, 422), (method, path)

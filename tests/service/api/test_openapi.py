"""The OpenAPI document describes what the service really does."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.answers import EventsAnswer, ItemAnswer, ListAnswer, ProblemAnswer
from service.api.people_schemas import InterestsBody, LinkBody
from service.api.problems import PROBLEMS
from service.api.release_schemas import (
    ActivateBody,
    HistoryAnswer,
    ReleaseAnswer,
    ReleasesAnswer,
    ShadowAnswer,
)
from service.api.schemas import EventBody, RecommendBody
from service.settings.serving import Server
from service.settings.tree import Settings
from tests.factories import NOW_S
from tests.service.api.world import World

CALLS = {
    "/v1/recommend": {"post"},
    "/v1/recommend/{user_id}": {"get"},
    "/v1/recommend/batch": {"post"},
    "/v1/similar": {"post"},
    "/v1/events": {"post"},
    "/v1/items": {"post"},
    "/v1/items/{item_id}": {"patch"},
    "/v1/users/{user_id}": {"delete"},
    "/v1/users/{user_id}/interests": {"put"},
    "/v1/identities/link": {"post", "delete"},
    "/v1/releases": {"get"},
    "/v1/releases/{name}:load": {"post"},
    "/v1/releases/{name}:activate": {"post"},
    "/v1/releases/{name}:rollback": {"post"},
    "/v1/releases/{name}/shadow": {"get"},
    "/livez": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/openapi.json")).json()
    return found


async def test_every_call_is_listed(document: dict[str, Any]) -> None:
    assert {path: set(entry) for path, entry in document["paths"].items()} == CALLS


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(value) for value in node.values()))
        return (
            set().union(*(references(value) for value in node)) if isinstance(node, list) else set()
        )

    found = references(document)
    assert found
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= names


async def test_every_plain_call_documents_its_problems(document: dict[str, Any]) -> None:
    for path, method in (
        ("/v1/recommend", "post"),
        ("/v1/events", "post"),
        ("/v1/similar", "post"),
    ):
        responses = document["paths"][path][method]["responses"]
        assert {"200", "400", "413", "415", "422", "503"} <= set(responses)
        assert "application/problem+json" in responses["422"]["content"]


async def test_calls_that_need_a_token_say_so(document: dict[str, Any]) -> None:
    locked = {
        path
        for path, entry in document["paths"].items()
        for operation in entry.values()
        if operation.get("security") == [{"admin": []}]
    }
    assert locked == {path for path in CALLS if path.startswith("/v1/releases/{name}:")}
    assert document["components"]["securitySchemes"]["admin"]["scheme"] == "bearer"


async def test_the_documented_examples_are_answered(
    document: dict[str, Any], client: httpx.AsyncClient
) -> None:
    n_examples = 0
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            content = operation.get("requestBody", {}).get("content", {})
            for example in content.get("application/json", {}).get("examples", {}).values():
                url = path.replace("{item_id}", "i1")
                response = await client.request(method, url, json=example["value"])
                assert response.status_code == 200, (path, response.text)
                n_examples += 1
    assert n_examples >= 5


async def test_real_answers_fit_the_documented_schemas(client: httpx.AsyncClient) -> None:
    actions = [{"item_id": "i3", "event_type": "view", "timestamp": NOW_S - 60}]
    lists: tuple[dict[str, object], ...] = (
        {"user_id": "nobody"},
        {"recent_actions": actions, "k": 20, "explain": True, "explore": 0.5},
        {"k": 500, "exclude_item_ids": ["zzz"]},
        {"filters": {"category": ["none"]}, "k": 3},
    )
    for body in lists:
        ListAnswer.model_validate_json((await client.post("/v1/recommend", json=body)).content)
    response = await client.post("/v1/similar", json={"item_id": "i3", "explain": True})
    ListAnswer.model_validate_json(response.content)
    response = await client.post("/v1/events", json={"events": [{}, {"event_id": 1}]})
    assert len(EventsAnswer.model_validate_json(response.content).rejected) == 2
    response = await client.patch("/v1/items/i3", json={"stock": 1})
    ItemAnswer.model_validate_json(response.content)
    ReleasesAnswer.model_validate_json((await client.get("/v1/releases")).content)
    ProblemAnswer.model_validate_json((await client.post("/v1/recommend", json={"k": 0})).content)


async def test_documentation_can_be_switched_off() -> None:
    world = World(settings=Settings(server=Server(docs_enabled=False)))
    async with world.client() as client:
        for path in ("/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 404


def test_the_api_page_lists_every_problem_and_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    for problem in PROBLEMS.values():
        assert f"| {problem.status} | `/problems/{problem.name}` |" in page
    lists = (RecommendBody, EventBody, ListAnswer, InterestsBody, LinkBody)
    releases = (ActivateBody, HistoryAnswer, ReleaseAnswer, ReleasesAnswer, ShadowAnswer)
    for model in (*lists, *releases):
        for name in model.model_fields:
            assert f"`{name}`" in page, name

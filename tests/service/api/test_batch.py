"""POST /v1/recommend/batch: the same lists as one by one, in order; all valid or none."""

import json
from pathlib import Path

from service.settings.pipeline import PipelineSettings
from service.settings.serving import Limits
from service.settings.tree import Settings
from tests.service.api.world import World

PATH = "/v1/recommend/batch"


async def test_each_request_gets_the_list_that_it_gets_alone(world: World) -> None:
    requests = [
        {"k": 3, "recent_actions": [{"item_id": f"i{i}", "event_type": "view"}]} for i in range(9)
    ]
    async with world.client() as client:
        batch = (await client.post(PATH, json={"requests": requests})).json()["answers"]
        alone = [(await client.post("/v1/recommend", json=one)).json() for one in requests]
    shown = [[item["item_id"] for item in answer["items"]] for answer in batch]
    assert shown == [[item["item_id"] for item in answer["items"]] for answer in alone]
    assert len({answer["recommendation_id"] for answer in batch}) == len(batch)
    assert world.sample("retrieval_candidates_returned_count") == 18


async def test_one_wrong_request_is_named_and_nothing_is_answered(world: World) -> None:
    requests = [{"k": 3}, {"k": 0}, {"user": "ann"}]
    async with world.client() as client:
        response = await client.post(PATH, json={"requests": requests})
    assert response.status_code == 422
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"requests.1.k", "requests.2.user"}


async def test_limits_of_a_single_request_hold_in_a_batch() -> None:
    world = World(settings=Settings(limits=Limits(k_max=5, batch_max=2)))
    async with world.client() as client:
        deep = await client.post(PATH, json={"requests": [{"k": 2}, {"k": 9}]})
        many = await client.post(PATH, json={"requests": [{}] * 3})
        none = await client.post(PATH, json={"requests": []})
    assert deep.json()["errors"][0]["field"] == "requests.1.k"
    assert many.json()["errors"][0]["field"] == "requests"
    assert none.status_code == 422


async def test_a_batch_goes_on_without_sessions(world: World) -> None:
    world.sessions.down = "refused"
    async with world.client() as client:
        response = await client.post(PATH, json={"requests": [{"user_id": "ann", "k": 4}]})
    answer = response.json()["answers"][0]
    assert answer["count"] == 4
    assert answer["degraded"]["reasons"] == ["session"]


def scenarios(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "scenarios.toml"
    path.write_text(text)
    return Settings(pipeline=PipelineSettings(scenarios=path))


async def test_a_scenario_answers_by_its_own_settings(tmp_path: Path) -> None:
    world = World(settings=scenarios(tmp_path, "[home]\nexplore_share = 0.2\n[cart]\n"))
    asked = {"k": 10, "recent_actions": [{"item_id": "i1", "event_type": "view"}]}
    found = {}
    async with world.client() as client:
        for name in ("home", "cart", "default"):
            response = await client.post("/v1/recommend", json={**asked, "scenario": name})
            sources = [item["source"] for item in response.json()["items"]]
            found[name] = sources.count("exploration")
        unknown = await client.post("/v1/recommend", json={**asked, "scenario": "hmoe"})
        by_query = await client.get("/v1/recommend/ann?scenario=hmoe")
    assert found["home"] == 2
    assert found["cart"] == found["default"] <= 1
    assert unknown.status_code == by_query.status_code == 422
    assert unknown.json()["errors"] == [
        {"field": "scenario", "detail": "is none of cart, default, home"}
    ]


async def test_where_no_scenario_is_declared_the_word_is_a_label(world: World) -> None:
    async with world.client() as client:
        response = await client.post("/v1/recommend", json={"scenario": "anything"})
    assert response.status_code == 200, json.dumps(response.json())

"""Filters over HTTP: short and long forms, the same checks everywhere, and what they explain."""

from collections.abc import Mapping

import httpx
import pytest

from tests.service.api.world import World


async def item_ids(
    client: httpx.AsyncClient, filters: Mapping[str, object], **body: object
) -> set[int]:
    asked = {"recent_actions": [{"item_id": "i5", "event_type": "view"}], "k": 30, **body}
    response = await client.post("/v1/recommend", json={**asked, "filters": filters})
    assert response.status_code == 200, response.text
    return {int(item["item_id"][1:]) for item in response.json()["items"]}


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({"category": ["toys"]}, range(0, 30, 2)),
        ({"category": {"any": ["toys"]}}, range(0, 30, 2)),
        ({"category": {"none": ["toys"]}}, range(1, 30, 2)),
        ({"category": ["toys", "cars"]}, range(0, 30, 2)),
        ({"category": []}, range(30)),
        ({"category": {}}, range(30)),
        ({}, range(30)),
        ({"category": ["cars"]}, ()),
        ({"price": {"min": 1, "max": 1}}, range(30)),
        ({"price": {"min": 1.01}}, ()),
        (
            {"is_new": False, "category": {"any": ["toys", "books"], "none": ["books"]}},
            range(0, 30, 2),
        ),
        ({"is_new": {"is": True}}, ()),
    ],
)
async def test_filters_hold_for_the_whole_list(
    client: httpx.AsyncClient, filters: dict[str, object], rows: range
) -> None:
    assert await item_ids(client, filters) == set(rows)


async def test_an_unknown_attribute_is_named_beside_those_that_exist(
    client: httpx.AsyncClient,
) -> None:
    for path, body in (("/v1/recommend", {}), ("/v1/similar", {"item_id": "i1"})):
        response = await client.post(path, json={**body, "filters": {"colour": ["red"]}})
        assert response.status_code == 422
        assert response.json()["errors"] == [
            {
                "field": "filters.colour",
                "detail": "unknown attribute; declared are category, is_new, price, seller",
            }
        ]


async def test_a_batch_names_the_request_as_well(client: httpx.AsyncClient) -> None:
    asked = {"requests": [{}, {"filters": {"price": ["cheap"]}}]}
    response = await client.post("/v1/recommend/batch", json=asked)
    assert response.json()["errors"] == [
        {
            "field": "requests.1.filters.price.any",
            "detail": "not for an attribute of the kind number: it takes min and max",
        }
    ]


async def test_explain_tells_how_the_items_were_found(client: httpx.AsyncClient) -> None:
    body = {
        "recent_actions": [{"item_id": "i5", "event_type": "view"}],
        "filters": {"category": ["toys", "cars"]},
        "explain": True,
    }
    notes = (await client.post("/v1/recommend", json=body)).json()["explain"]["notes"]
    assert notes["search"] == {
        "route": "sweep",
        "passing": 15,
        "is_second_try": False,
        "unknown": {"category": ["cars"]},
    }


async def test_ways_are_counted(world: World, client: httpx.AsyncClient) -> None:
    await item_ids(client, {"category": ["toys"]})
    assert world.sample("retrieval_searches_total", route="sweep", attempt="first") == 1


async def test_without_a_release_nobody_knows_what_is_declared() -> None:
    async with World(release=None).client() as client:
        response = await client.post("/v1/recommend", json={"filters": {"category": ["toys"]}})
        assert response.status_code == 503

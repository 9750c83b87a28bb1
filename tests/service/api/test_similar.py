"""POST /v1/similar."""

import httpx

from tests.service.api.world import World


async def test_items_like_an_item_do_not_hold_the_item(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/similar", json={"item_id": "i5", "k": 4})).json()
    found = [item["item_id"] for item in answer["items"]]
    assert set(found) == {"i3", "i4", "i6", "i7"}
    assert {item["source"] for item in answer["items"]} == {"ann"}


async def test_an_unknown_item_is_answered_by_the_ladder_and_listed(
    client: httpx.AsyncClient,
) -> None:
    answer = (await client.post("/v1/similar", json={"item_id": "no-such", "k": 4})).json()
    assert answer["count"] == 4
    assert answer["missing_ids"] == ["no-such"]


async def test_filters_hold(client: httpx.AsyncClient) -> None:
    body = {"item_id": "i5", "k": 4, "filters": {"category": ["toys"]}}
    answer = (await client.post("/v1/similar", json=body)).json()
    assert all(int(item["item_id"][1:]) % 2 == 0 for item in answer["items"])


async def test_the_item_is_needed(world: World, client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/similar", json={"k": 4})
    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "item_id", "detail": "Field required"}]
    assert world.sample("retrieval_requests_rejected_total", reason="field") == 1

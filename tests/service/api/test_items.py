"""PATCH /v1/items/{item_id}: sold out means gone, at once."""

import httpx

from tests.service.api.world import World


async def shown(client: httpx.AsyncClient) -> set[str]:
    answer = (await client.post("/v1/recommend", json={"k": 30})).json()
    return {item["item_id"] for item in answer["items"]}


async def test_an_item_that_is_sold_out_disappears_and_comes_back(
    world: World, client: httpx.AsyncClient
) -> None:
    assert "i5" in await shown(client)
    response = await client.patch("/v1/items/i5", json={"stock": 0})
    assert response.json() == {"item_id": "i5", "stock": 0, "is_known": True}
    assert "i5" not in await shown(client)
    await client.patch("/v1/items/i5", json={"stock": 3})
    assert "i5" in await shown(client)
    assert world.stock.stock == {"i5": 3}


async def test_an_item_that_the_release_lacks_is_kept_for_the_next(
    world: World, client: httpx.AsyncClient
) -> None:
    response = await client.patch("/v1/items/new%2F1", json={"stock": 7})
    assert response.json() == {"item_id": "new/1", "stock": 7, "is_known": False}
    assert world.stock.stock == {"new/1": 7}


async def test_with_redis_down_it_is_503_and_still_not_shown(
    world: World, client: httpx.AsyncClient
) -> None:
    world.stock.down = "timeout"
    response = await client.patch("/v1/items/i5", json={"stock": 0})
    assert response.status_code == 503
    assert "i5" not in await shown(client)


async def test_stock_is_a_whole_number_from_zero(client: httpx.AsyncClient) -> None:
    for stock in (-1, 1.5, "1", None, True, 2**31):
        response = await client.patch("/v1/items/i5", json={"stock": stock})
        assert response.status_code == 422, stock
        assert response.json()["errors"][0]["field"] == "stock"

"""PATCH /v1/items/{item_id} and POST /v1/items: sold out means gone, and new means there."""

from typing import Any

import httpx
import pyarrow as pa
import pytest

from service.catalogue.attributes import read_attribute
from service.domain.items import NewItem
from tests.factories import make_catalogue, make_release
from tests.service.api.world import World

N = 30
DECLARED = {
    "colours": pa.array([[]] * N, pa.list_(pa.string())),
    "watts": pa.array([60.0] * N),
    "is_vegan": pa.array([False] * N),
}


@pytest.fixture
def world() -> World:
    """Its release declares more than it has to."""
    attributes = {name: read_attribute(pa.chunked_array([its])) for name, its in DECLARED.items()}
    return World(make_release(make_catalogue(N, attributes=attributes)))


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
    assert world.items.stock == {"i5": 3}


async def test_an_item_that_the_release_lacks_is_kept_for_the_next(
    world: World, client: httpx.AsyncClient
) -> None:
    response = await client.patch("/v1/items/new%2F1", json={"stock": 7})
    assert response.json() == {"item_id": "new/1", "stock": 7, "is_known": False}
    assert world.items.stock == {"new/1": 7}


async def test_with_redis_down_it_is_503_and_still_not_shown(
    world: World, client: httpx.AsyncClient
) -> None:
    world.items.down = "timeout"
    response = await client.patch("/v1/items/i5", json={"stock": 0})
    assert response.status_code == 503
    assert "i5" not in await shown(client)


async def test_stock_is_a_whole_number_from_zero(client: httpx.AsyncClient) -> None:
    for stock in (-1, 1.5, "1", None, True, 2**31):
        response = await client.patch("/v1/items/i5", json={"stock": stock})
        assert response.status_code == 422, stock
        assert response.json()["errors"][0]["field"] == "stock"


async def test_price_and_policy_are_changed_as_well(
    world: World, client: httpx.AsyncClient
) -> None:
    response = await client.patch("/v1/items/i5", json={"price": 2.5, "is_blocked": True})
    assert response.json() == {
        "item_id": "i5",
        "price": 2.5,
        "is_blocked": True,
        "is_known": True,
    }
    (told,) = world.items.log
    assert (told.item_id, told.stock, told.price, told.is_blocked) == ("i5", None, 2.5, True)
    assert told.at_s == world.now_s


async def test_declared_attributes_are_changed_as_well(
    world: World, client: httpx.AsyncClient
) -> None:
    said = {"category": "garden", "colours": ["red", "blue"], "watts": 40, "is_vegan": True}
    response = await client.patch("/v1/items/i5", json={"stock": 3, "attributes": said})
    assert response.json() == {
        **{"item_id": "i5", "stock": 3, "is_known": True},
        "attributes": said,
    }
    (told,) = world.items.log
    assert told.attributes == {**said, "colours": ("red", "blue")}
    assert (told.stock, told.price) == (3, None)


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({}, "body"),
        ({"price": -1}, "price"),
        ({"price": None}, "price"),
        ({"is_blocked": 1}, "is_blocked"),
        ({"colour": "red"}, "colour"),
        ({"attributes": {}}, "attributes"),
        ({"attributes": None}, "attributes"),
        ({"attributes": {"colour": "red"}}, "attributes.colour"),
        ({"attributes": {"price": 2.5}}, "attributes.price"),
        ({"attributes": {"stock": 2}}, "attributes.stock"),
        ({"attributes": {"category": ["a", "b"]}}, "attributes.category"),
        ({"attributes": {"watts": True}}, "attributes.watts"),
        ({"attributes": {"is_vegan": 1}}, "attributes.is_vegan"),
        ({"attributes": {"colours": "red"}}, "attributes.colours"),
        ({"attributes": {"category": "garden", "colour": "red"}}, "attributes.colour"),
    ],
)
async def test_a_wrong_change_names_the_field(
    client: httpx.AsyncClient, patch: dict[str, object], field: str
) -> None:
    response = await client.patch("/v1/items/i5", json=patch)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


LAMP: dict[str, Any] = {"item_id": "n-1", "title": "lamp", "category": "garden"}


async def test_new_items_are_kept_whole(world: World, client: httpx.AsyncClient) -> None:
    full = {
        **LAMP,
        "item_id": "n-2",
        "seller": "anna",
        "price": 12.5,
        "stock": 3,
        "is_blocked": False,
        "attributes": {"colours": ["red"], "watts": 40, "brand": "lux", "is_vegan": True},
        "vector": [3.0, 4.0],
        "embedding_version": "another",
    }
    response = await client.post("/v1/items", json={"items": [LAMP, full]})
    assert response.json() == {
        "items": [
            {"item_id": "n-1", "is_retrievable": False},  # the tiny release takes nothing in
            {"item_id": "n-2", "is_retrievable": False},
        ]
    }
    assert [told.new for told in world.items.log] == [
        NewItem("lamp", "garden"),
        NewItem(
            *("lamp", "garden", "anna", 12.5),
            {"colours": ("red",), "watts": 40.0, "brand": "lux", "is_vegan": True},
            *((3.0, 4.0), "another"),
        ),
    ]
    assert world.items.stock == {"n-2": 3}


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        ([LAMP] * 101, "items"),
        ([{**LAMP, "title": ""}], "items.0.title"),
        ([LAMP, {"item_id": "n-2", "title": "x"}], "items.1.category"),
        ([LAMP, LAMP], "items.1.item_id"),
        ([{**LAMP, "vector": [1.0]}], "items.0"),
        ([{**LAMP, "embedding_version": "tiny-1"}], "items.0"),
        ([{**LAMP, "vector": [0.0], "embedding_version": "x"}], "items.0"),
        ([{**LAMP, "vector": [1.0] * 3, "embedding_version": "tiny-1"}], "items.0.vector"),
        ([{**LAMP, "colour": "red"}], "items.0.colour"),
        ([{**LAMP, "attributes": {"price": 3.0}}], "items.0.attributes.price"),
    ],
)
async def test_a_wrong_item_names_the_field_and_nothing_is_kept(
    world: World, client: httpx.AsyncClient, items: list[object], field: str
) -> None:
    response = await client.post("/v1/items", json={"items": items})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    assert world.items.log == []


async def test_new_items_that_cannot_be_kept_are_503(
    world: World, client: httpx.AsyncClient
) -> None:
    world.items.down = "oom"
    response = await client.post("/v1/items", json={"items": [LAMP]})
    assert response.status_code == 503
    assert response.headers["retry-after"]

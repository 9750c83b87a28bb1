"""The next page over HTTP: nothing twice, and honest when the list is forgotten."""

from typing import Any

import httpx

from tests.service.api.world import World


async def page(client: httpx.AsyncClient, **body: object) -> Any:
    response = await client.post("/v1/recommend", json={"k": 8, **body})
    assert response.status_code == 200, response.text
    return response.json()


def shown(answer: Any) -> set[str]:
    return {item["item_id"] for item in answer["items"]}


async def test_pages_continue_without_repeats_until_nothing_is_left(world: World) -> None:
    seen: set[str] = set()
    async with world.client() as client:
        answer = await page(client, recent_actions=[{"item_id": "i3", "event_type": "view"}])
        while answer["items"]:
            assert not shown(answer) & seen
            seen |= shown(answer)
            answer = await page(client, recommendation_id=answer["recommendation_id"])
    assert len(seen) == 30
    assert "page" not in answer["degraded"]["reasons"]


async def test_a_forgotten_list_begins_anew_and_says_so(world: World) -> None:
    async with world.client() as client:
        first = await page(client)
        again = await page(client, recommendation_id="0" * 24)
        world.pages.down = True
        down = await page(client, recommendation_id=first["recommendation_id"])
    assert shown(again) == shown(first) == shown(down)
    assert again["degraded"]["reasons"] == down["degraded"]["reasons"] == ["page"]


async def test_sponsored_items_are_labelled_and_counted_by_source(world: World) -> None:
    async with world.client() as client:
        answer = await page(client, sponsored_item_ids=["i25", "nothing"])
    third = answer["items"][2]
    assert (third["item_id"], third["source"], third["sponsored"]) == ("i25", "sponsored", True)
    assert [item["sponsored"] for item in answer["items"]].count(True) == 1
    assert answer["missing_ids"] == ["nothing"]
    assert world.sample("retrieval_candidates_total", source="sponsored") == 1

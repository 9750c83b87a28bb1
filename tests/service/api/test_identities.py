"""Linking ids, declaring interests and forgetting, as callers see them."""

import httpx
import pytest

from service.api.answers import ForgetAnswer, InterestsAnswer, LinkAnswer, ProblemAnswer
from service.settings.serving import Limits
from service.settings.tree import Settings
from tests.factories import NOW_S
from tests.service.api.world import World

LINK = "/v1/identities/link"
PHONE = {"user_id": "ann", "anonymous_id": "phone"}


async def send(client: httpx.AsyncClient, item_id: str, **who: str) -> None:
    event = {"event_id": item_id, "event_type": "view", "item_id": item_id, "timestamp": NOW_S - 5}
    response = await client.post("/v1/events", json={"events": [{**event, **who}]})
    assert response.json()["accepted"] == 1


async def signal(client: httpx.AsyncClient, **who: str) -> int:
    answer = (await client.post("/v1/recommend", json=who)).json()
    return int(answer["signal"]["actions"])


async def test_a_link_counts_from_the_next_list_on_and_so_does_its_end(
    client: httpx.AsyncClient, world: World
) -> None:
    await send(client, "i1", user_id="ann")
    await send(client, "i2", anonymous_id="phone")
    for method, outcome, n in (("POST", "linked", 2), ("DELETE", "unlinked", 1)):
        response = await client.request(method, LINK, json=PHONE)
        assert LinkAnswer.model_validate_json(response.content).outcomes == {"phone": outcome}
        assert await signal(client, user_id="ann") == await signal(client, **PHONE) == n
        assert await signal(client, anonymous_id="phone") == n
        assert world.sample("retrieval_identity_links_total", outcome=outcome) == 1
    assert world.sample("retrieval_identity_total", result="resolved") == 5
    assert world.sample("retrieval_identity_ids_sum") == 9


async def test_a_conflict_names_the_field_and_no_account(
    client: httpx.AsyncClient, world: World
) -> None:
    await client.post(LINK, json=PHONE)
    both = {"user_id": "bob", "anonymous_ids": ["tablet", "phone"]}
    response = await client.post(LINK, json=both)
    assert response.status_code == 409
    problem = ProblemAnswer.model_validate_json(response.content)
    assert problem.type == "/problems/link-conflict"
    assert [error.field for error in problem.errors or ()] == ["anonymous_ids.1"]
    assert "ann" not in response.text
    again = await client.post(LINK, json={"user_id": "bob", "anonymous_id": "tablet"})
    assert again.json()["outcomes"] == {"tablet": "already"}
    assert world.sample("retrieval_identity_links_total", outcome="conflict") == 1


async def test_every_id_of_a_call_gets_its_outcome_once(client: httpx.AsyncClient) -> None:
    body = {"user_id": "ann", "anonymous_id": "a", "anonymous_ids": ["b", "a", "b"]}
    response = await client.post(LINK, json=body)
    assert response.json() == {"user_id": "ann", "outcomes": {"a": "linked", "b": "linked"}}


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": "ann"},
        {"anonymous_id": "phone"},
        {"user_id": "ann", "anonymous_ids": []},
        {"user_id": "ann", "anonymous_ids": [str(n) for n in range(9)]},
        {"user_id": "ann", "anonymous_id": ""},
        {"user_id": "ann", "anonymous_id": "a\nb"},
        {"user_id": "ann", "anonymous_id": "a", "other": 1},
    ],
)
async def test_a_link_without_sense_is_422(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    assert (await client.post(LINK, json=body)).status_code == 422


async def test_another_method_is_405(client: httpx.AsyncClient) -> None:
    response = await client.get(LINK)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"DELETE", "POST"}


async def test_interests_lead_a_strangers_list(client: httpx.AsyncClient) -> None:
    body = {"categories": ["books", "nothing"], "item_ids": ["i3", "gone"]}
    response = await client.put("/v1/users/ann/interests", json=body)
    done = InterestsAnswer.model_validate_json(response.content)
    assert (done.interests, done.unknown) == (["books"], ["nothing", "gone"])
    answer = (await client.get("/v1/recommend/ann?k=3&explore=0")).json()
    assert answer["segment"] == "new"
    assert {item["source"] for item in answer["items"]} == {"popular"}
    assert [item["item_id"] for item in answer["items"]][:2] == ["i1", "i3"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"categories": ["toys", "books"]},
        {"categories": ["toys", "toys", "books"]},
        {"categories": ["toys"], "item_ids": ["1", "2", "3", "4", "5"]},
        {"categories": ["none", "of", "these"]},
        {"categories": "toys"},
    ],
)
async def test_interests_are_three_to_five_and_some_are_known(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    response = await client.put("/v1/users/ann/interests", json=body)
    assert response.status_code == 422
    assert response.json()["errors"]


async def test_a_forgotten_person_is_a_stranger(client: httpx.AsyncClient) -> None:
    await send(client, "i1", user_id="ann")
    await send(client, "i2", anonymous_id="phone")
    await client.post(LINK, json=PHONE)
    response = await client.delete("/v1/users/ann")
    assert ForgetAnswer.model_validate_json(response.content).ids_forgotten == 2
    assert await signal(client, user_id="ann") == await signal(client, anonymous_id="phone") == 0


@pytest.mark.parametrize("user", ["a/b", "interests", "a/interests", "größe", "x y"])
async def test_odd_ids_in_a_path_are_ids(client: httpx.AsyncClient, user: str) -> None:
    path = "/v1/users/" + httpx.URL("/", params={"": user}).query.decode()[1:].replace("+", "%20")
    body = {"categories": ["toys", "books"], "item_ids": ["i1"]}
    response = await client.put(f"{path}/interests", json=body)
    assert (response.status_code, response.json()["user_id"]) == (200, user)
    assert (await client.delete(path)).json()["user_id"] == user


async def test_ids_above_the_limit_of_this_service_are_refused() -> None:
    world = World(settings=Settings(limits=Limits(id_chars=4)))
    async with world.client() as client:
        assert (await client.delete("/v1/users/annabel")).status_code == 422
        long = {"user_id": "ann", "anonymous_id": "annabel"}
        assert (await client.post(LINK, json=long)).status_code == 422
        body = {"categories": ["toys", "books"], "item_ids": ["i1"]}
        assert (await client.put("/v1/users/annabel/interests", json=body)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", LINK, PHONE),
        ("DELETE", LINK, PHONE),
        ("DELETE", "/v1/users/ann", None),
        ("PUT", "/v1/users/ann/interests", {"categories": ["toys", "books"], "item_ids": ["i1"]}),
    ],
)
async def test_with_redis_down_it_is_503_and_to_be_sent_again(
    world: World, client: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    world.sessions.down = "refused"
    response = await client.request(method, path, json=body)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_linked_ids_that_cannot_be_read_are_told_and_counted(
    world: World, client: httpx.AsyncClient
) -> None:
    await send(client, "i1", user_id="ann")
    await client.post(LINK, json=PHONE)
    world.sessions.unreadable.add("a:phone")
    answer = (await client.post("/v1/recommend", json={"user_id": "ann"})).json()
    assert answer["degraded"] == {"is_degraded": True, "reasons": ["identity"]}
    assert answer["signal"]["actions"] == 1
    assert world.sample("retrieval_identity_fragmented_total") == 1

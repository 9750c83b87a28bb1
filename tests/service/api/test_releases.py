"""Releases over HTTP: what is done to them, what is refused and how, and what is told."""

import httpx
import pytest

from service.api.release_schemas import ReleaseAnswer, ReleasesAnswer
from tests.fakes import FakeAdmin
from tests.names import BAD_NAMES, CLIMBS, URLS, quoted
from tests.service.api.operators import ACTIONS, KEY, STORE, operated, post
from tests.service.api.test_limits import check_problem
from tests.service.api.world import World


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin(STORE, "tiny")


@pytest.fixture
def world(admin: FakeAdmin) -> World:
    return operated(admin)


async def test_releases_and_their_history_are_told_to_everybody(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/v1/releases")
    assert response.json() == {
        "live": "tiny",
        "releases": [
            {
                "name": "tiny",
                "state": "live",
                "reason": None,
                "detail": None,
                "embedding_version": "tiny-1",
                "items": 30,
                "trained_through": None,
                "as_of": None,
            }
        ],
        "history": [],
    }


async def test_a_release_is_loaded_made_live_and_taken_back(client: httpx.AsyncClient) -> None:
    loaded = await post(client, "next", "load")
    assert (loaded.status_code, loaded.json()["state"]) == (200, "staged")
    assert ReleaseAnswer.model_validate_json(loaded.content).name == "next"
    assert (await client.get("/v1/releases")).json()["live"] == "tiny"
    assert (await post(client, "next", "activate")).json()["state"] == "live"
    assert (await client.get("/v1/releases")).json()["live"] == "next"
    assert (await post(client, "next", "rollback")).json()["name"] == "tiny"
    told = ReleasesAnswer.model_validate_json((await client.get("/v1/releases")).content)
    assert told.live == "tiny"
    assert [(entry.action, entry.release) for entry in told.history[:2]] == [
        ("rollback", "tiny"),
        ("activate", "next"),
    ]
    assert {entry.by for entry in told.history} == {"http:127.0.0.1"}


async def test_rolling_back_twice_does_not_bring_the_bad_release_back(
    client: httpx.AsyncClient, admin: FakeAdmin
) -> None:
    await post(client, "next", "activate")
    assert (await post(client, "next", "rollback")).status_code == 200
    again = await post(client, "next", "rollback")
    check_problem(again, 422, "invalid-field")
    assert "tiny is" in again.json()["errors"][0]["detail"]
    assert admin.live == "tiny"


async def test_a_refusal_says_why_and_stays_listed(client: httpx.AsyncClient, world: World) -> None:
    for action in ("load", "activate"):
        response = await post(client, "broken", action)
        check_problem(response, 422, "release-refused")
        assert response.json()["reason"] == "checksum"
        assert response.headers["x-release"] == "tiny", "the live one serves on"
        name = "retrieval_admin_actions_total"
        assert world.sample(name, action=action, outcome="refused") == 1
    listed = (await client.get("/v1/releases")).json()["releases"]
    (refused,) = [one for one in listed if one["state"] == "refused"]
    assert (refused["name"], refused["reason"]) == ("broken", "checksum")
    assert refused["detail"]


async def test_a_long_refusal_is_told_whole(client: httpx.AsyncClient, admin: FakeAdmin) -> None:
    name = "x" * 64
    admin.store = {**STORE, name: "r" * 500}
    problem = (await post(client, name, "load")).json()
    assert problem["reason"] == "r" * 500


async def test_a_release_that_lost_quality_needs_a_reason(
    client: httpx.AsyncClient, admin: FakeAdmin
) -> None:
    for body in (None, {}, {"force": ""}, {"force": "   "}):
        response = await post(client, "worse", "activate", json=body)
        check_problem(response, 422, "release-refused")
        assert response.json()["reason"] == "gate_metrics"
    assert admin.live == "tiny"
    response = await post(client, "worse", "activate", json={"force": "the metric was wrong"})
    assert response.json()["state"] == "live"
    history = (await client.get("/v1/releases")).json()["history"]
    assert history[0]["reason"] == "the metric was wrong"


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("activate", {"force": 1}, "force"),
        ("activate", {"force": "x" * 501}, "force"),
        ("activate", {"why": "x"}, "why"),
        ("activate", [], "body"),
        ("load", {"force": "x"}, "force"),
        ("rollback", {"to": "x"}, "to"),
    ],
)
async def test_a_wrong_body_names_its_field_and_changes_nothing(
    client: httpx.AsyncClient, admin: FakeAdmin, action: str, body: object, field: str
) -> None:
    response = await post(client, "tiny", action, json=body)
    check_problem(response, 422, "invalid-field")
    assert response.json()["errors"][0]["field"] == field
    assert not admin.history


async def test_while_one_release_is_loaded_others_wait(
    client: httpx.AsyncClient, world: World, admin: FakeAdmin
) -> None:
    admin.is_busy = True
    for action in ACTIONS:
        response = await post(client, "tiny", action)
        check_problem(response, 409, "busy")
        assert int(response.headers["retry-after"]) > 0
        assert world.sample("retrieval_admin_actions_total", action=action, outcome="busy") == 1


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_bad_name_is_refused_before_anybody_is_asked(
    client: httpx.AsyncClient, admin: FakeAdmin, action: str
) -> None:
    asked: list[str] = []
    admin.overview = lambda: asked.append("overview")  # type: ignore[method-assign, assignment, return-value]
    for name in BAD_NAMES:
        response = await post(client, quoted(name), action)
        if len(name) * 3 > 8000:
            check_problem(response, 414, "uri-too-long")
            continue
        if "\n" in name:
            check_problem(response, 404, "not-found")
            continue
        check_problem(response, 422, "invalid-field")
        assert [error["field"] for error in response.json()["errors"]] == ["name"]
    assert not admin.history
    assert not asked


async def test_bytes_that_are_no_text_are_no_name(client: httpx.AsyncClient) -> None:
    for raw in ("%ff", "%c3%28", "x%80", "%ed%a0%80"):
        check_problem(await post(client, raw, "load"), 422, "invalid-field")


async def test_a_path_that_is_not_escaped_names_nothing_either(
    client: httpx.AsyncClient, admin: FakeAdmin
) -> None:
    """Clients and proxies may tidy `..` up; what is left is another path, or a bad name."""
    for name in (*CLIMBS, *URLS):
        response = await client.post(f"/v1/releases/{name}:load", headers=KEY)
        assert response.status_code in (404, 405, 422), name
    assert {entry.release for entry in admin.history} <= {"x"}


async def test_no_shadow_report_without_a_staged_release(client: httpx.AsyncClient) -> None:
    check_problem(await client.get("/v1/releases/next/shadow"), 404, "not-found")
    check_problem(await client.get(f"/v1/releases/{quoted('../x')}/shadow"), 422, "invalid-field")


async def test_every_answer_names_the_live_release(client: httpx.AsyncClient) -> None:
    calls = (
        ("GET", "/v1/recommend/ann", None, 200),
        ("POST", "/v1/recommend", {"k": 3}, 200),
        ("POST", "/v1/recommend", {"k": 0}, 422),
        ("POST", "/v1/similar", {"item_id": "i1"}, 200),
        ("POST", "/v1/events", {"events": []}, 422),
        ("PATCH", "/v1/items/i1", {"stock": 1}, 200),
        ("GET", "/nothing", None, 404),
        ("PUT", "/v1/recommend", None, 405),
        ("GET", "/v1/releases", None, 200),
        ("GET", "/readyz", None, 200),
    )
    for method, path, body, status in calls:
        response = await client.request(method, path, json=body)
        assert (response.status_code, response.headers["x-release"]) == (status, "tiny"), path
        assert len(response.headers.get_list("x-release")) == 1


async def test_without_a_live_release_none_is_named(
    client: httpx.AsyncClient, world: World
) -> None:
    world.releases.release = None
    response = await client.post("/v1/recommend", json={})
    check_problem(response, 503, "not-ready")
    assert "x-release" not in response.headers

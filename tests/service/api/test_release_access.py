"""Who may change releases over HTTP: whoever sends a valid token, in the one right place."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings.serving import Server
from service.settings.tree import Settings
from tests.fakes import FakeAdmin
from tests.service.api.operators import ACTIONS, STORE, TOKEN, operated, post
from tests.service.api.test_limits import check_problem
from tests.service.api.world import World


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin(STORE, "tiny")


@pytest.fixture
def world(admin: FakeAdmin) -> World:
    return operated(admin)


@pytest.fixture
async def open_client(admin: FakeAdmin) -> AsyncIterator[httpx.AsyncClient]:
    """A service without a token."""
    async with World(admin=admin).client() as client:
        yield client


async def test_reading_needs_no_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/releases")).status_code == 200


async def test_without_a_token_nobody_changes_anything(
    open_client: httpx.AsyncClient, admin: FakeAdmin
) -> None:
    for action in ACTIONS:
        response = await post(open_client, "tiny", action)
        check_problem(response, 403, "forbidden")
        detail = response.json()["detail"]
        assert "SIGHTLINE_SERVER__ADMIN_TOKEN" in detail
        assert "sightline release" in detail
    assert not admin.history


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN.upper()}"},
        {"authorization": f"Bearer {TOKEN} {TOKEN}"},
        {"authorization": b"Bearer \xff"},
        {"x-token": TOKEN},
        {"cookie": f"token={TOKEN}"},
    ],
)
async def test_who_sends_no_valid_token_is_not_let_in(
    client: httpx.AsyncClient, world: World, admin: FakeAdmin, headers: Any
) -> None:
    for action in ACTIONS:
        response = await post(client, "tiny", action, headers=headers)
        check_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    name = "retrieval_auth_failures_total"
    counted = [world.sample(name, scope="admin", reason=reason) for reason in ("missing", "wrong")]
    assert sum(counted) == len(ACTIONS)
    assert not admin.history


async def test_a_token_in_the_address_opens_nothing(client: httpx.AsyncClient) -> None:
    for query in (f"token={TOKEN}", f"access_token={TOKEN}", f"authorization=Bearer%20{TOKEN}"):
        response = await client.post(f"/v1/releases/next:load?{query}")
        check_problem(response, 401, "unauthorized")


async def test_the_scheme_may_be_written_in_any_case(client: httpx.AsyncClient) -> None:
    for scheme in ("bearer", "BEARER"):
        headers = {"authorization": f"{scheme} {TOKEN}"}
        assert (await post(client, "next", "load", headers=headers)).status_code == 200


async def test_two_tokens_are_valid_while_one_replaces_the_other(
    admin: FakeAdmin, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n\n{TOKEN[::-1]}\n")
    world = World(settings=Settings(server=Server(admin_token_file=file)), admin=admin)
    async with world.client() as client:
        for token in (TOKEN, TOKEN[::-1]):
            headers = {"authorization": f"Bearer {token}"}
            assert (await post(client, "next", "load", headers=headers)).status_code == 200


async def test_the_token_is_neither_logged_nor_told(
    client: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [await post(client, name, "load") for name in ("next", "broken", "..")]
        wrong = {"authorization": f"Bearer {TOKEN}x"}
        answers.append(await post(client, "next", "load", headers=wrong))
    assert "load of release next, asked by http:127.0.0.1: done" in caplog.text
    assert TOKEN not in caplog.text
    assert all(TOKEN not in answer.text for answer in answers)
    assert TOKEN not in repr(world.settings)
    assert TOKEN not in str(world.settings)

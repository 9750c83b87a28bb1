"""A world per test and a client that talks to it in this process."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.service.api.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client

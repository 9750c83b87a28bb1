"""A service whose releases can be changed, and ways to try it."""

from typing import Any

import httpx
from pydantic import SecretStr

from service.settings.serving import Server
from service.settings.tree import Settings
from tests.fakes import FakeAdmin
from tests.service.api.world import World

TOKEN = "0123456789abcdef0123456789abcdef"
KEY = {"authorization": f"Bearer {TOKEN}"}
STORE = {"tiny": "", "next": "", "worse": "worse", "broken": "checksum"}
ACTIONS = ("load", "activate", "rollback")


def operated(admin: FakeAdmin) -> World:
    """A world that knows one token."""
    return World(settings=Settings(server=Server(admin_token=SecretStr(TOKEN))), admin=admin)


async def post(client: httpx.AsyncClient, name: str, action: str, **more: Any) -> httpx.Response:
    """Asks with the token, unless other headers are given."""
    return await client.post(f"/v1/releases/{name}:{action}", **{"headers": KEY, **more})

"""create_app() under any ASGI server: it opens its parts at start and closes them at the end."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from service.api.edge import Edge
from service.app import create_app
from service.errors import SetupInvalid
from service.settings.serving import Releases
from service.settings.stores import Redis
from service.settings.tree import Settings
from tests.releases import make_release


@asynccontextmanager
async def lifespan(app: Edge) -> AsyncIterator[None]:
    """What a server does around the life of an application."""
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(app(scope, inbox.get, cast(Any, outbox.put)))
    inbox.put_nowait({"type": "lifespan.startup"})
    reply = await outbox.get()
    if reply["type"] == "lifespan.startup.failed":
        await task
    yield
    inbox.put_nowait({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await task


@pytest.mark.redis
async def test_it_opens_its_parts_answers_and_closes_them(tmp_path: Path) -> None:
    make_release(tmp_path / "store")
    settings = Settings(
        releases=Releases(store=str(tmp_path / "store")), redis=Redis(var_dir=tmp_path / "var")
    )
    app = create_app(settings)
    transport = httpx.ASGITransport(cast(Any, app))
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.get("/readyz")).json()["status"] == "ready"
        answer = (await client.post("/v1/recommend", json={"user_id": "ann", "k": 3})).json()
        assert answer["count"] == 3
        scrape = (await client.get("/metrics")).text
        assert "retrieval_ready 1.0" in scrape
        assert 'retrieval_identity_total{result="resolved"} 1.0' in scrape, "warm-up is not counted"
    gc.unfreeze()


async def test_a_store_that_is_not_there_fails_the_start(tmp_path: Path) -> None:
    app = create_app(Settings(releases=Releases(store=str(tmp_path / "none"))))
    with pytest.raises(SetupInvalid):
        async with lifespan(app):
            pass

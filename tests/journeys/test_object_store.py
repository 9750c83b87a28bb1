"""A service whose releases lie in an object store: it serves, switches, and outlives the store."""

from pathlib import Path

import httpx
import pytest

from models.building import store as building
from models.building.store import publish
from service.__main__ import main
from tests.journeys.running import Running, running, until
from tests.object_server import BUCKET, ObjectServer
from tests.releases import make_draft, make_shop

FIRST, SECOND = "20231114-000000", "20231115-000000"
URL = f"s3://{BUCKET}/shop"
FOLLOW = {"SIGHTLINE_RELEASES__FOLLOW_S": "0.2", "SIGHTLINE_PROCESSES__WORKERS": "1"}


def publish_as(name: str, seed: int) -> None:
    publish(make_draft(make_shop(120, seed=seed), seed=seed, name=name), URL, force="a test")


def live(service: Running) -> str:
    return str(httpx.get(f"{service.url}/readyz").headers["x-release"])


def test_releases_come_from_an_object_store_and_stay_when_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ObjectServer()
    server.use(monkeypatch)
    monkeypatch.setattr(building, "CACHE", tmp_path / "builder")
    monkeypatch.setenv("SIGHTLINE_REDIS__VAR_DIR", str(tmp_path / "s" / "var"))
    publish_as(FIRST, 1)
    try:
        with running(URL, tmp_path / "s", **FOLLOW) as service:  # type: ignore[arg-type]
            assert live(service) == FIRST
            publish_as(SECOND, 2)
            until(lambda: live(service) == SECOND, 60.0, "CURRENT followed")
            server.kill()
            assert main(["release", "rollback"]) == 0
            until(lambda: live(service) == FIRST, 20.0, "rolled back")
            assert service.recommend(k=3)["count"] == 3
        with running(URL, tmp_path / "s", **FOLLOW) as service:  # type: ignore[arg-type]
            assert live(service) == FIRST
    finally:
        server.kill()

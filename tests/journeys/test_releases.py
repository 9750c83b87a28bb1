"""An operator's day: stage, look at the shadow, activate, roll back; by command and over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from models.building.store import publish
from service.__main__ import main
from tests.journeys.running import Running, running, until
from tests.releases import make_draft, make_release, make_shop
from tests.scrapes import sample

FIRST, SECOND, WORSE = (f"2023111{day}-000000" for day in (4, 5, 6))
TOKEN = "0123456789abcdef0123456789abcdef"
KEY = {"authorization": f"Bearer {TOKEN}"}
SHADOW = f"/v1/releases/{SECOND}/shadow"
N_REQUESTS = 60
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    make_release(folder, name=SECOND, seed=2)
    make_release(folder, name=FIRST)
    publish(make_draft(make_shop(200), name=WORSE), folder)  # too few items to become current
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="module")
def service(store: Path, folder: Path) -> Iterator[Running]:
    environment = {
        "SIGHTLINE_PROCESSES__WORKERS": "2",
        "SIGHTLINE_RELEASES__SHADOW_SHARE": "1.0",
        "SIGHTLINE_RELEASES__PROBE_EVERY_S": "1.0",
        "SIGHTLINE_SERVER__ADMIN_TOKEN": TOKEN,
    }
    with running(store, folder, **environment) as service:
        yield service


@pytest.fixture(autouse=True)
def _its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the service by its folder."""
    monkeypatch.setenv("SIGHTLINE_REDIS__VAR_DIR", str(folder / "var"))


def answers_from(service: Running) -> str:
    """The release that answers a new connection."""
    release = httpx.get(f"{service.url}/readyz").headers["x-release"]
    assert isinstance(release, str)
    return release


def count(service: Running, name: str, **labels: str) -> float:
    return sample(service.http.get("/metrics").content, name, **labels) or 0.0


def ask(service: Running, n: int = N_REQUESTS) -> None:
    for i in range(n):
        actions = [{"item_id": f"item-{i}", "event_type": "view"}]
        service.recommend(user_id=f"person-{i % 9}", recent_actions=actions if i % 2 else [], k=10)


@pytest.mark.redis
def test_a_release_is_staged_compared_activated_and_taken_back(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "load", SECOND]) == 0
    assert f"{SECOND} is staged after" in capsys.readouterr().out
    assert answers_from(service) == FIRST

    compared = _compare(service)
    assert main(["release", "shadow", SECOND]) == 0
    assert f"{SECOND} against {FIRST}" in capsys.readouterr().out

    response = service.http.post(f"/v1/releases/{SECOND}:activate", headers=KEY)
    assert (response.status_code, response.json()["state"]) == (200, "live")
    assert answers_from(service) == SECOND
    assert service.http.get(SHADOW).json()["requests"] >= compared, "the report is kept"
    assert main(["release", "rollback"]) == 0
    assert f"{FIRST} is live after" in capsys.readouterr().out
    assert answers_from(service) == FIRST
    assert main(["release", "list"]) == 0
    listed = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert [FIRST, "live"] in listed and [SECOND, "previous"] in listed
    assert main(["release", "history"]) == 0
    told = [line.split()[2:5] for line in capsys.readouterr().out.splitlines()[1:4]]
    assert told == [
        ["rollback", FIRST, "live"],
        ["activate", SECOND, "live"],
        ["load", SECOND, "staged"],
    ]


def _compare(service: Running) -> int:
    """Has requests answered twice; returns how many were compared."""
    until(lambda: _draws(service), WITHIN_S, "a request is drawn")
    before = count(service, "retrieval_redis_operations_total", op="read", outcome="miss")
    n_before = service.http.get(SHADOW).json()["requests"]
    ask(service)
    until(
        lambda: service.http.get(SHADOW).json()["requests"] >= n_before + N_REQUESTS,
        WITHIN_S,
        "every request is compared",
    )
    after = count(service, "retrieval_redis_operations_total", op="read", outcome="miss")
    assert after - before <= N_REQUESTS, "replays are not counted"
    report = service.http.get(SHADOW).json()
    n_compared: int = report["requests"]
    assert report["against"] == {FIRST: n_compared}
    assert (report["failed"], report["dropped"]) == (0, 0)
    assert 0 < report["overlap_at_k"]["mean"] < 1
    return n_compared


def _draws(service: Running) -> bool:
    """Workers look for staged releases once a second, each for itself."""
    before = count(service, "retrieval_shadow_requests_total", outcome="sent")
    ask(service, 8)
    return count(service, "retrieval_shadow_requests_total", outcome="sent") == before + 8


@pytest.mark.redis
def test_a_release_that_lost_quality_needs_a_reason(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "activate", WORSE]) == 2
    assert "refused (gate_items)" in capsys.readouterr().err
    assert answers_from(service) == FIRST
    assert main(["release", "activate", WORSE, "--force", "half of the shop is closed"]) == 0
    assert answers_from(service) == WORSE
    assert main(["release", "activate", FIRST, "--force", "it is open again"]) == 0
    capsys.readouterr()
    assert main(["release", "history"]) == 0
    assert "half of the shop is closed" in capsys.readouterr().out


@pytest.mark.redis
def test_what_is_not_in_the_store_is_refused_with_code_2(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("20990101-000000", "../store"):
        assert main(["release", "activate", name]) == 2
        assert "refused (" in capsys.readouterr().err
    response = service.http.post("/v1/releases/20990101-000000:load", headers=KEY)
    assert (response.status_code, response.json()["reason"]) == (422, "missing")
    assert service.http.post(f"/v1/releases/{SECOND}:load").status_code == 401


@pytest.mark.redis
def test_the_live_release_is_asked_its_golden_probes_again(service: Running) -> None:
    name = "retrieval_golden_probes_total"
    until(lambda: count(service, name, outcome="passed") > 0, WITHIN_S, "probes are asked")
    until(
        lambda: service.http.get("/readyz").json()["probed_at_s"] is not None,
        WITHIN_S,
        "a round is over",
    )
    assert service.http.get("/readyz").json()["mismatch"] is None
    scrape = service.http.get("/metrics").content
    for outcome in ("vector", "neighbours", "other"):
        assert sample(scrape, name, outcome=outcome) == 0
    assert sample(scrape, "retrieval_embedding_version_mismatch") == 0


@pytest.mark.redis
def test_a_replica_can_be_pinned_to_a_release(store: Path, tmp_path: Path) -> None:
    environment = {"SIGHTLINE_PROCESSES__WORKERS": "1", "SIGHTLINE_RELEASES__NAME": SECOND}
    with running(store, tmp_path, **environment) as canary:
        assert answers_from(canary) == SECOND
        answer = canary.recommend(user_id="ann")
        assert answer["versions"]["release"] == SECOND  # type: ignore[index]
    assert (store / "CURRENT").read_text().strip() == FIRST

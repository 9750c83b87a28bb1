"""What a visitor sees while something is broken: still a list, and an honest one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.journeys.running import Running, item_ids, running, until
from tests.redis_server import redis_server
from tests.releases import make_release

ASKED = {"user_id": "ann", "k": 10, "explore": 0}


def _view(event_id: str) -> dict[str, object]:
    return {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "ann",
        "item_id": "item-7",
        "timestamp": time.time(),
    }


def test_redis_stops_and_comes_back(shop_release: Path, tmp_path: Path) -> None:
    with (
        redis_server("--appendonly", "yes", "--appendfsync", "always") as redis,
        running(shop_release.parent, tmp_path, redis.url) as shop,
    ):
        shop.send(_view("before"))
        personal = item_ids(shop.recommend(**ASKED))
        redis.kill()
        answer = shop.recommend(**ASKED)
        assert answer["count"] == 10
        assert answer["degraded"] == {"is_degraded": True, "reasons": ["session"]}
        refused = shop.http.post("/v1/events", json={"events": [_view("during")]})
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(refused.headers["Retry-After"]) >= 1
        assert shop.http.get("/readyz").status_code == httpx.codes.OK
        redis.start()
        until(lambda: item_ids(shop.recommend(**ASKED)) == personal, 20.0, "personal again")
        assert shop.send(_view("during"))["accepted"] == 1


def test_a_hung_redis_costs_the_signal_not_the_answer(shop_release: Path, tmp_path: Path) -> None:
    with (
        redis_server() as redis,
        running(shop_release.parent, tmp_path, redis.url) as shop,
    ):
        shop.send(_view("before"))
        redis.pause()
        answers = [shop.recommend(**ASKED) for _ in range(20)]
        assert {answer["count"] for answer in answers} == {10}
        assert answers[-1]["degraded"]["reasons"] == ["session"]  # type: ignore[index]
        redis.resume()
        until(
            lambda: shop.recommend(**ASKED)["degraded"] == {"is_degraded": False, "reasons": []},
            20.0,
            "whole again",
        )


def test_redis_may_be_down_at_the_start(shop_release: Path, tmp_path: Path) -> None:
    with redis_server() as redis:
        redis.kill()
        with running(shop_release.parent, tmp_path, redis.url) as shop:
            assert shop.recommend(**ASKED)["degraded"]["reasons"] == ["session"]  # type: ignore[index]
            redis.start()
            until(lambda: _stores(shop), 20.0, "events stored")


def _stores(shop: Running) -> bool:
    sent = shop.http.post("/v1/events", json={"events": [_view("later")]})
    return sent.status_code == httpx.codes.OK


def test_sessions_survive_a_restart(shop_release: Path, tmp_path: Path) -> None:
    with running(shop_release.parent, tmp_path) as shop:
        shop.send(_view("kept"))
        shop.http.patch("/v1/items/item-3", json={"stock": 0})
    assert shop.process.returncode == 0
    assert "Traceback" not in shop.log()
    with running(shop_release.parent, tmp_path) as shop:
        assert shop.recommend(**ASKED)["signal"]["actions"] == 1  # type: ignore[index]
        until(lambda: "item-3" not in item_ids(shop.recommend(k=295)), 5.0, "sold out remembered")


def test_two_services_on_one_store_share_stock_within_a_second(
    shop_release: Path, tmp_path: Path
) -> None:
    store = shop_release.parent
    with (
        redis_server() as redis,
        running(store, tmp_path / "one", redis.url) as one,
        running(store, tmp_path / "two", redis.url) as two,
    ):
        first = item_ids(two.recommend(**ASKED))[0]
        one.http.patch(f"/v1/items/{first}", json={"stock": 0})
        until(lambda: first not in item_ids(two.recommend(**ASKED)), 5.0, "sold out elsewhere")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda release: (release / "items.hnsw").unlink(), "items.hnsw"),
        (lambda release: (release.parent / "CURRENT").unlink(), "CURRENT"),
        (lambda release: (release / "user_tower.onnx").write_bytes(b"no"), "user_tower.onnx"),
    ],
)
def test_a_bad_release_is_refused_in_a_sentence(broken, says, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    broken(make_release(tmp_path / "store"))
    refused = subprocess.run(
        [sys.executable, "-m", "service", "serve", "--store", str(tmp_path / "store"), "--port=0"],
        env={**os.environ, "SIGHTLINE_REDIS__VAR_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_bad_release_does_not_disturb_the_live_one(shop: Running, shop_release: Path) -> None:
    """Publishing rubbish beside the live release changes nothing for those who are served."""
    rubbish = shop_release.parent / "29990101-000000"
    rubbish.mkdir()
    (rubbish / "manifest.json").write_text("{}")
    answer = shop.recommend(user_id="calm")
    assert answer["versions"]["release"] == shop_release.name  # type: ignore[index]

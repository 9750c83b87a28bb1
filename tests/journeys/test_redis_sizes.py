"""The service on Sentinels and on a cluster: what was just seen counts, and so does stock."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.journeys.running import item_ids, running, until
from tests.redis_groups import Cluster, Sentinels, redis_cluster, redis_sentinels

PEOPLE = [f"visitor-{n}" for n in range(12)]


@pytest.mark.parametrize("group", [redis_sentinels, redis_cluster])
def test_a_shop_on_many_servers_is_one_shop(
    group: Callable[[], AbstractContextManager[Sentinels | Cluster]],
    shop_release: Path,
    tmp_path: Path,
) -> None:
    with group() as servers, running(shop_release.parent, tmp_path, servers.url) as shop:
        events = [
            {
                "event_id": f"one-{user}",
                "event_type": "view",
                "user_id": user,
                "item_id": "item-7",
                "timestamp": time.time(),
            }
            for user in PEOPLE
        ]
        assert shop.send(*events)["accepted"] == len(PEOPLE)
        assert shop.send(*events)["duplicates"] == len(PEOPLE)
        for user in PEOPLE:
            answer = shop.recommend(user_id=user, k=10, explore=0)
            assert answer["signal"]["actions"] == 1  # type: ignore[index]
            assert answer["degraded"] == {"is_degraded": False, "reasons": []}
        assert shop.http.get("/readyz").json()["redis"] == "up"
        first = item_ids(shop.recommend(user_id=PEOPLE[0], k=10, explore=0))[0]
        shop.http.patch(f"/v1/items/{first}", json={"stock": 0})
        with running(shop_release.parent, tmp_path / "second", servers.url) as other:
            until(
                lambda: first not in item_ids(other.recommend(user_id=PEOPLE[0], k=10, explore=0)),
                5.0,
                "sold out elsewhere",
            )

"""What somebody with several devices sees: one history, until it is taken apart again."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.running import Running, item_ids, running, sources
from tests.redis_server import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def shop(
    redis: RedisServer, shop_release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """On a Redis that the tests can look into."""
    folder = tmp_path_factory.mktemp("identity")
    with running(shop_release.parent, folder, redis.url) as service:
        yield service


def _event(item_id: str, event_type: str = "view", **who: str) -> dict[str, object]:
    event_id = f"{item_id}-{event_type}-{'-'.join(who.values())}"
    return {
        **{"event_id": event_id, "event_type": event_type, "item_id": item_id, **who},
        "timestamp": time.time(),
    }


def _link(shop: Running, method: str, user_id: str, anonymous_id: str) -> httpx.Response:
    body = {"user_id": user_id, "anonymous_id": anonymous_id}
    return shop.http.request(method, "/v1/identities/link", json=body)


def _list(shop: Running, **who: object) -> list[str]:
    return item_ids(shop.recommend(k=10, explore=0, **who))


def _actions(shop: Running, **who: object) -> int:
    return int(shop.recommend(**who)["signal"]["actions"])  # type: ignore[index]


def test_browsing_on_a_phone_and_logging_in_on_a_laptop_is_one_history(shop: Running) -> None:
    shop.send(*(_event(f"item-{n}", anonymous_id="anns-phone") for n in (7, 8)))
    shop.send(_event("item-150", user_id="ann"))
    phone, laptop = _list(shop, anonymous_id="anns-phone"), _list(shop, user_id="ann")
    assert (_actions(shop, anonymous_id="anns-phone"), _actions(shop, user_id="ann")) == (2, 1)

    linked = _link(shop, "POST", "ann", "anns-phone").json()
    assert linked == {"user_id": "ann", "outcomes": {"anns-phone": "linked"}}
    both = _list(shop, user_id="ann")
    assert both == _list(shop, anonymous_id="anns-phone")
    assert both == _list(shop, user_id="ann", anonymous_id="anns-phone")
    assert both not in (phone, laptop)
    assert _actions(shop, user_id="ann") == _actions(shop, anonymous_id="anns-phone") == 3

    assert _link(shop, "DELETE", "ann", "anns-phone").json()["outcomes"] == {
        "anns-phone": "unlinked"
    }
    assert _list(shop, anonymous_id="anns-phone") == phone
    assert _list(shop, user_id="ann") == laptop


def test_what_was_bought_on_the_phone_is_not_offered_on_the_laptop(shop: Running) -> None:
    shop.send(_event("item-21", user_id="bea"))
    _link(shop, "POST", "bea", "beas-phone")
    assert "item-21" in item_ids(shop.recommend(user_id="bea", k=100))
    shop.send(_event("item-21", "purchase", anonymous_id="beas-phone"))
    assert "item-21" not in item_ids(shop.recommend(user_id="bea", k=100))


def test_a_phone_that_is_somebody_elses_is_a_conflict_that_names_nobody(shop: Running) -> None:
    assert _link(shop, "POST", "carl", "family-tablet").status_code == 200
    refused = _link(shop, "POST", "dora", "family-tablet")
    assert refused.status_code == httpx.codes.CONFLICT
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"] == [
        {"field": "anonymous_id", "detail": "is linked to another account"}
    ]
    assert "carl" not in refused.text


def test_beside_a_user_an_unlinked_anonymous_id_does_not_count(shop: Running) -> None:
    shop.send(_event("item-30", anonymous_id="shared-kiosk"))
    answer = shop.recommend(user_id="emil", anonymous_id="shared-kiosk")
    assert answer["segment"] == "new"


def test_declared_interests_make_the_first_list(shop: Running, categories: dict[str, str]) -> None:
    liked = sorted(set(categories.values()))[:2]
    item = next(item for item, of in categories.items() if of == liked[1])
    stranger = _list(shop, user_id="nobody-yet")
    body = {"categories": [liked[0], "no such thing"], "item_ids": [item, "no such item"]}
    done = shop.http.put("/v1/users/fay/interests", json=body)
    assert done.json() == {
        "user_id": "fay",
        "interests": liked,
        "unknown": ["no such thing", "no such item"],
    }
    answer = shop.recommend(user_id="fay", k=10, explore=0)
    assert answer["segment"] == "new"
    assert sources(answer) == {"popular"}
    assert sum(categories[one] in liked for one in item_ids(answer)) >= 6
    assert item_ids(answer) != stranger


def test_who_is_forgotten_is_a_stranger_and_leaves_no_key(
    shop: Running, redis: RedisServer
) -> None:
    with redis.client() as plain:
        before = _of_people(plain.keys("*"))
        shop.send(_event("item-40", user_id="gus"), _event("item-41", anonymous_id="gus-phone"))
        _link(shop, "POST", "gus", "gus-phone")
        assert _actions(shop, user_id="gus") == 2
        for _ in range(6):  # often enough to be read from memory
            shop.recommend(user_id="gus")
        gone = shop.http.request("DELETE", "/v1/users/gus")
        assert gone.json() == {"user_id": "gus", "ids_forgotten": 2}
        assert _of_people(plain.keys("*")) == before
    for who in ({"user_id": "gus"}, {"anonymous_id": "gus-phone"}):
        assert shop.recommend(**who)["segment"] == "new"


def _of_people(keys: list[bytes]) -> set[bytes]:
    """Without what lists have shown and what rises, which name nobody and pass by themselves."""
    return {key for key in keys if b"{page-" not in key and b"{trend}" not in key}


BEHIND_THE_ANSWERS = {
    *("cmdstat_config", "cmdstat_info"),
    *("cmdstat_xrange", "cmdstat_set"),  # item updates, pages
    *("cmdstat_zincrby", "cmdstat_expire", "cmdstat_zrevrange"),  # what rises
}
"""What is asked in the background, whether or not anybody wants a list."""


@pytest.mark.parametrize(
    ("who", "reads"), [({"user_id": "ida"}, 1), ({"anonymous_id": "a-guest"}, 1)]
)
def test_a_list_for_one_id_reads_one_value_from_redis(
    shop: Running, redis: RedisServer, who: dict[str, str], reads: int
) -> None:
    shop.send(_event("item-60", **who))
    with redis.client() as plain:
        plain.config_resetstat()
        shop.recommend(**who)
        commands = plain.info("commandstats")
    assert commands["cmdstat_getrange"]["calls"] == reads
    others = {name.split("|")[0] for name in commands} - {"cmdstat_getrange"}
    assert others <= BEHIND_THE_ANSWERS


def test_links_are_counted(shop: Running) -> None:
    _link(shop, "POST", "hal", "hals-phone")
    shop.recommend(user_id="hal")
    scrape = shop.http.get("/metrics").text
    assert 'retrieval_identity_links_total{outcome="linked"}' in scrape
    assert "retrieval_identity_ids_bucket" in scrape

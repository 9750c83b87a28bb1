"""What a visitor sees, from the first page view on."""

import time

from tests.journeys.running import Running, item_ids, sources


def _event(event_id: str, user: str, item_id: str, event_type: str = "view") -> dict[str, object]:
    return {
        "event_id": event_id,
        "event_type": event_type,
        "user_id": user,
        "item_id": item_id,
        "timestamp": time.time(),
    }


def test_a_new_visitor_gets_a_full_honest_list(shop: Running) -> None:
    answer = shop.recommend(user_id="nobody-yet", k=20)
    assert answer["segment"] == "new"
    assert answer["count"] == 20
    assert sources(answer) <= {"popular", "exploration"}
    assert answer["signal"] == {"actions": 0, "age_s": None, "session_actions": 0}
    assert answer["degraded"] == {"is_degraded": False, "reasons": []}


def test_a_new_visitor_picks_three_interests_and_gets_them(
    shop: Running, categories: dict[str, str]
) -> None:
    picked = sorted(set(categories.values()))[-3:]
    before = shop.recommend(user_id="picker", k=20, explore=0)
    said = shop.http.put("/v1/users/picker/interests", json={"categories": picked})
    assert said.json() == {"user_id": "picker", "interests": picked, "unknown": []}
    answer = shop.recommend(user_id="picker", k=20, explore=0)
    shown = [categories[one] for one in item_ids(answer)]
    assert answer["segment"] == "new"
    assert answer["count"] == 20
    assert sources(answer) == {"popular"}
    assert set(picked) <= set(shown)
    liked = sum(one in picked for one in shown)
    assert liked > max(10, sum(categories[one] in picked for one in item_ids(before)))


def test_a_view_is_reflected_by_the_very_next_list(shop: Running) -> None:
    before = shop.recommend(user_id="viewer", k=10, explore=0)
    near = shop.http.post("/v1/similar", json={"item_id": "item-7", "k": 10}).json()
    sent = shop.send(_event("viewer-1", "viewer", "item-7"))
    assert sent == {"accepted": 1, "duplicates": 0, "rejected": []}
    after = shop.recommend(user_id="viewer", k=10, explore=0)
    assert after["signal"]["actions"] == 1  # type: ignore[index]
    assert after["signal"]["age_s"] < 60  # type: ignore[index]
    assert item_ids(after) != item_ids(before)
    assert "ann" in sources(after)
    assert set(item_ids(after)) & set(item_ids(near)), "nothing like what was just viewed"


def test_the_same_event_sent_twice_counts_once(shop: Running) -> None:
    event = _event("twice-1", "twice", "item-3")
    assert shop.send(event, event)["duplicates"] == 1
    assert shop.send(event)["duplicates"] == 1
    assert shop.recommend(user_id="twice")["signal"]["actions"] == 1  # type: ignore[index]


def test_a_regular_gets_own_items_again_and_near_ones(shop: Running) -> None:
    bought = [f"item-{n}" for n in range(20, 30)]
    long_ago = time.time() - 5 * 86_400
    shop.send(
        *(
            {**_event(f"reg-{n}", "regular", item, "purchase"), "timestamp": long_ago + n}
            for n, item in enumerate(bought)
        )
    )
    answer = shop.recommend(user_id="regular", k=40, explore=0)
    assert answer["segment"] == "casual"
    assert {"again", "ann"} <= sources(answer)
    assert set(bought) & set(item_ids(answer))


def test_what_was_just_bought_is_not_offered_at_once(shop: Running) -> None:
    shop.send(_event("buyer-1", "buyer", "item-11", "purchase"))
    answer = shop.recommend(user_id="buyer", k=50)
    assert "item-11" not in item_ids(answer)
    assert answer["rules"]["purchased"] >= 1  # type: ignore[index]
    kept = shop.recommend(user_id="buyer", k=50, exclude_purchased=False)
    assert "item-11" in item_ids(kept)


def test_a_guest_brings_the_session_along(shop: Running) -> None:
    action = {"item_id": "item-5", "event_type": "click", "timestamp": time.time() - 5}
    answer = shop.recommend(recent_actions=[action], k=10)
    assert answer["segment"] == "guest"
    assert "ann" in sources(answer)


def test_a_sold_out_item_vanishes_and_comes_back(shop: Running) -> None:
    asked = {"user_id": "stock-watcher", "k": 10, "explore": 0}
    first = item_ids(shop.recommend(**asked))[0]
    try:
        assert shop.http.patch(f"/v1/items/{first}", json={"stock": 0}).status_code == 200
        answer = shop.recommend(**asked)
        assert first not in item_ids(answer)
        assert answer["count"] == 10
        assert answer["rules"]["stock"] >= 1  # type: ignore[index]
    finally:
        shop.http.patch(f"/v1/items/{first}", json={"stock": 5})
    assert item_ids(shop.recommend(**asked))[0] == first


def test_a_filter_holds_for_every_item(shop: Running, categories: dict[str, str]) -> None:
    category = sorted(set(categories.values()))[0]
    allowed = {item for item, of in categories.items() if of == category}
    answer = shop.recommend(user_id="picky", k=15, filters={"category": [category]})
    assert answer["count"] == 15
    assert set(item_ids(answer)) <= allowed


def test_the_same_visitor_refreshing_sees_the_same_list(shop: Running) -> None:
    lists = [item_ids(shop.recommend(user_id="refresher", k=40)) for _ in range(3)]
    assert lists[0] == lists[1] == lists[2]


def test_similar_items_never_contain_the_item(shop: Running) -> None:
    answer = shop.http.post("/v1/similar", json={"item_id": "item-42", "k": 10}).json()
    assert answer["count"] == 10
    assert "item-42" not in item_ids(answer)


def test_scrape_shows_what_was_served(shop: Running) -> None:
    shop.recommend(user_id="counted")
    scrape = shop.http.get("/metrics").text
    assert "retrieval_http_requests_total{" in scrape
    assert 'route="/v1/recommend"' in scrape
    assert "retrieval_release_info{" in scrape

"""What one worker is told every worker of its service knows; each is asked on its own line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.client import encode
from loadtest.workers import answering, one_each
from service.impressions.files import log_files
from tests.journeys.running import Running, item_ids, sources, until
from tests.processes import Served, served
from tests.workers import a_caller_each

pytestmark = pytest.mark.redis
by_each = pytest.mark.parametrize("told", [0, 1], ids=["told-to-one", "told-to-the-other"])
SOON_S = 5.0
"""A second is promised; `make bench-items` measures it."""
SHARE, K = 0.125, 20
SLOTS = SHARE * K
"""Two explored places, and a third one half of the time."""
PEOPLE = 200
ROUNDING = 1e-6
"""Answers have six digits, the log has all of them."""
LIKES = [{"item_id": f"item-{n}", "event_type": "view"} for n in (7, 150, 220)]
"""Whoever has no taste is shown what is popular, which is not little known."""


@pytest.fixture(scope="module")
def family(shop_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(shop_release.parent, tmp_path_factory.mktemp("family")) as family:
        yield family


@pytest.fixture
def workers(family: Served) -> Iterator[list[Running]]:
    """A caller for each of the two workers."""
    with a_caller_each(family) as callers:
        assert len(callers) == 2
        yield callers


@by_each
def test_what_one_worker_is_told_is_sold_out_vanishes_from_every_worker(
    told: int, workers: list[Running]
) -> None:
    asked = {"user_id": "stock-watcher", "k": 10, "explore": 0}
    first = item_ids(workers[told].recommend(**asked))[0]
    patched = workers[told].http.patch(f"/v1/items/{first}", json={"stock": 0})
    assert patched.json() == {"item_id": first, "stock": 0, "is_known": True}
    until(
        lambda: all(first not in item_ids(one.recommend(**asked)) for one in workers),
        SOON_S,
        "gone from every worker",
    )
    assert {one.recommend(**asked)["count"] for one in workers} == {10}
    workers[1 - told].http.patch(f"/v1/items/{first}", json={"stock": 5})
    until(
        lambda: all(item_ids(one.recommend(**asked))[0] == first for one in workers),
        SOON_S,
        "back on every worker",
    )


@by_each
def test_a_new_item_that_one_worker_is_told_of_is_found_by_every_worker(
    told: int, workers: list[Running]
) -> None:
    toy = {"item_id": f"n-{told}", "title": "brand-new toy", "category": "toys", "stock": 3}
    posted = workers[told].http.post("/v1/items", json={"items": [toy]})
    assert posted.json() == {"items": [{"item_id": toy["item_id"], "is_retrievable": True}]}
    seen = [{"item_id": toy["item_id"], "event_type": "view"}]
    asked = {"recent_actions": seen, "k": 100, "explore": 0, "strict": True}
    until(
        lambda: all(toy["item_id"] in item_ids(one.recommend(**asked)) for one in workers),
        SOON_S,
        "found by every worker",
    )
    assert all(sources(one.recommend(**asked)) <= {"ann", "again"} for one in workers)


@by_each
def test_interests_told_to_one_worker_are_met_by_every_worker(
    told: int, workers: list[Running], categories: dict[str, str]
) -> None:
    picked, user = sorted(set(categories.values()))[-3:], f"picker-{told}"
    workers[told].http.put(f"/v1/users/{user}/interests", json={"categories": picked})
    answers = [one.recommend(user_id=user, k=K, explore=0) for one in workers]
    assert {answer["segment"] for answer in answers} == {"new"}
    shown = [[categories[one] for one in item_ids(answer)] for answer in answers]
    assert shown[0] == shown[1]
    assert set(picked) <= set(shown[0])
    assert sum(one in picked for one in shown[0]) > K / 2


def test_the_benchmark_of_updates_looks_at_every_worker(family: Served) -> None:
    family.settled()
    connections = one_each(family.supervisor, family.service.url, encode("/v1/recommend", {"k": 1}))
    held = [answering(*connection.ports, family.workers()) for connection in connections]
    for connection in connections:
        connection.close()
    assert sorted(held) == sorted(family.workers())


def test_somebody_who_refreshes_sees_the_same_list_on_every_worker(workers: list[Running]) -> None:
    asked = {"user_id": "refresher", "k": 40, "recent_actions": LIKES}
    lists = [worker.recommend(**asked) for _ in range(3) for worker in workers]
    assert "exploration" in sources(lists[0])
    assert len({tuple(item_ids(one)) for one in lists}) == 1


def test_explored_slots_carry_propensities_that_add_up(
    workers: list[Running], family: Served
) -> None:
    """To the chance of each slot over its pool, and to the share that was asked for over people."""
    asked = {"k": K, "explore": SHARE, "recent_actions": LIKES}
    answers = [workers[n % 2].recommend(user_id=f"explorer-{n}", **asked) for n in range(PEOPLE)]
    wanted = {str(answer["recommendation_id"]): explored(answer) for answer in answers}
    until(lambda: wanted.keys() <= draws(family).keys(), SOON_S, "all are logged")
    logged = draws(family)
    n_slots = 0
    for name, propensities in wanted.items():
        its = logged[name]
        drawn = {draw["item_id"]: draw["propensity"] for draw in its}
        assert propensities == pytest.approx(drawn, abs=ROUNDING)
        assert all(draw["item_id"] in draw["pool"] for draw in its)
        pools = [item for draw in its for item in draw["pool"]]
        assert len(pools) == len(set(pools)), "an item could be drawn for two slots"
        chances = [draw["propensity"] * len(draw["pool"]) for draw in its]
        assert chances == pytest.approx([1.0, 1.0, 0.5][: len(its)])
        n_slots += len(its)
    five_sigma = 5 * (PEOPLE * 0.25) ** 0.5
    assert abs(n_slots - PEOPLE * SLOTS) < five_sigma


def explored(answer: dict[str, object]) -> dict[str, float]:
    """Propensities of the explored items of a list; no other item has one."""
    items: list[dict[str, object]] = answer["items"]  # type: ignore[assignment]
    known = {one["item_id"]: one["propensity"] for one in items if one["propensity"] is not None}
    assert known.keys() == {one["item_id"] for one in items if one["source"] == "exploration"}
    return known  # type: ignore[return-value]


def draws(family: Served) -> dict[str, list[dict]]:  # type: ignore[type-arg]
    """What the impression logs of all workers say was drawn, by list."""
    texts = [path.read_bytes() for path in log_files(family.folder / "var" / "impressions")]
    lines = [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]
    return {line["recommendation_id"]: line["draws"] for line in lines if "draws" in line}

"""Whatever Redis does, every answer over HTTP is a full list that says what it was made without.

Each test bears the number of its fault (F01 is `tests/journeys/test_faults.py`, which starts a
service while Redis is down). `Shop.ask` fails on anything that is not a full, honest 200.
"""

import random
import time

import httpx
import pytest

from service.stores.keys import UserKeys
from tests.faults.shop import Shop, eventually

ANN = UserKeys.of("u:ann")
POOL = 32 + 8
"""Connections that one process may have: reads and writes."""


def test_f02_redis_is_killed_under_load(shop: Shop) -> None:
    shop.redis.kill()
    degraded = shop.crowd(80)
    assert all(degraded[-20:])
    refused = shop.post_event()
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert int(refused.headers["Retry-After"]) >= 1
    assert _operations(shop, outcome="refused") >= 1
    assert shop.service.http.get("/readyz").json()["redis"] == "down"


def test_f03_redis_hangs_under_load(shop: Shop) -> None:
    opened = shop.counted("retrieval_redis_breaker_transitions_total", to="open")
    shop.redis.pause()
    degraded = shop.crowd(80)
    assert all(degraded[-20:])
    assert shop.counted("retrieval_redis_breaker_transitions_total", to="open") > opened
    assert _operations(shop, op="read", outcome="timeout") >= 5


def test_f04_a_redis_over_budget_is_left_alone_but_for_probes(shop: Shop) -> None:
    shop.between.delay_s = 0.5
    eventually(lambda: all(shop.crowd(20)), "breaker open")
    sent, probes = shop.between.sent, _operations(shop, op="health")
    reads, let_pass = _operations(shop, op="read"), _operations(shop, outcome="circuit_open")
    assert all(shop.crowd(60))
    assert _operations(shop, op="read") - reads == 60
    assert _operations(shop, outcome="circuit_open") - let_pass >= 60
    probes = _operations(shop, op="health") - probes
    assert shop.between.sent - sent <= probes + 1  # nothing but probes, one of them on its way


def test_f05_five_milliseconds_more_degrade_nothing(shop: Shop) -> None:
    shop.between.delay_s = 0.005
    assert sum(shop.crowd(60)) == 0


@pytest.mark.parametrize("fault", ["refuse", "hang"])
def test_f06_personal_answers_come_back_by_themselves(shop: Shop, fault: str) -> None:
    getattr(shop.between, fault)()
    eventually(lambda: all(shop.crowd(8)), "degraded")
    opened = shop.between.opened
    shop.mend()
    eventually(lambda: not shop.is_degraded(), "personal again")
    assert sum(shop.crowd(200)) <= 2  # 99 %
    assert shop.between.opened - opened <= POOL


def test_f07_a_flapping_redis_is_asked_ever_more_rarely(shop: Shop) -> None:
    before = shop.counted("retrieval_redis_breaker_transitions_total", to="open")
    end_s = time.monotonic() + 4.0
    rounds = 0
    while time.monotonic() < end_s:
        shop.between.refuse()
        shop.crowd(12)
        shop.between.accept()
        shop.crowd(12)
        rounds += 1
    openings = shop.counted("retrieval_redis_breaker_transitions_total", to="open") - before
    assert rounds >= 2
    assert 1 <= openings <= 20  # pauses of 0.2, 0.4, 0.8, 0.8 … s, a fifth shorter at times


def test_f08_mutated_bytes_cost_the_signal_at_most(shop: Shop) -> None:
    chance = random.Random(8)
    with shop.redis.client() as plain:
        good = plain.get(ANN.session)
        for _ in range(150):
            plain.set(ANN.session, _mutated(bytes(good), chance))  # type: ignore[arg-type]
            body = {"user_id": "ann", "k": 10, "explore": 0}
            response = shop.service.http.post("/v1/recommend", json=body)
            assert (response.status_code, response.json()["count"]) == (200, 10)
        plain.delete(ANN.session)
        plain.rpush(ANN.session, "x")
        assert shop.service.http.post("/v1/recommend", json=body).json()["count"] == 10
        plain.delete(ANN.session)
    assert _operations(shop, outcome="corrupt") >= 1
    assert _operations(shop, outcome="wrongtype") >= 1
    assert shop.counted("retrieval_redis_breaker_state") == 0


def test_f09_a_full_redis_refuses_events_loudly_and_answers_reads(shop: Shop) -> None:
    before = shop.counted("retrieval_events_total")
    with shop.redis.client() as plain:
        plain.config_set("maxmemory", 1)
    ends = [shop.post_event().status_code for _ in range(5)]
    assert ends == [httpx.codes.SERVICE_UNAVAILABLE] * 5
    assert sum(shop.crowd(20)) == 0
    with shop.redis.client() as plain:
        plain.config_set("maxmemory", 0)
    assert shop.post_event().json()["accepted"] == 1
    assert shop.counted("retrieval_events_total", outcome="dropped") >= 5
    assert shop.counted("retrieval_events_total") - before == 6  # sent = stored + counted


def test_f10_a_replica_refuses_events_and_takes_them_once_promoted(shop: Shop) -> None:
    with shop.redis.client() as plain:
        plain.replicaof("127.0.0.1", "1")
        assert shop.post_event().status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert sum(shop.crowd(20)) == 0
        plain.replicaof("NO", "ONE")
    assert shop.post_event().json()["accepted"] == 1
    assert _operations(shop, outcome="readonly") >= 1


def test_f12_a_password_that_is_set_meanwhile_costs_the_signal(shop: Shop) -> None:
    with shop.redis.client() as plain:
        plain.config_set("requirepass", "secret")
        plain.config_set("masterauth", "")
        shop.between.refuse()
        shop.between.accept()
        eventually(lambda: all(shop.crowd(8)), "degraded")
        auths = _operations(shop, outcome="auth")
        assert 1 <= auths <= 60
        plain.execute_command("AUTH", "secret")
        plain.config_set("requirepass", "")


def test_f14_everybody_is_forgotten_and_welcome_again(shop: Shop) -> None:
    with shop.redis.client() as plain:
        plain.flushall()
    body = {"user_id": "ann", "k": 10}
    answer = shop.service.http.post("/v1/recommend", json=body).json()
    assert (answer["segment"], answer["count"]) == ("new", 10)
    assert answer["degraded"]["is_degraded"] is False
    assert shop.post_event().json()["accepted"] == 1


def test_f64_an_event_sent_a_thousand_times_counts_once(shop: Shop) -> None:
    answers = [shop.post_event("same").json() for _ in range(5)]
    assert [answer["accepted"] for answer in answers] == [1, 0, 0, 0, 0]
    event = {"event_id": "many", "event_type": "click", "user_id": "bob", "item_id": "item-1"}
    both = shop.service.http.post("/v1/events", json={"events": [event] * 500}).json()
    assert (both["accepted"], both["duplicates"]) == (1, 499)
    again = shop.service.http.post("/v1/events", json={"events": [event] * 500}).json()
    assert (again["accepted"], again["duplicates"]) == (0, 500)


def _operations(shop: Shop, **labels: str) -> float:
    return shop.counted("retrieval_redis_operations_total", **labels)


def _mutated(data: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        return data + chance.randbytes(chance.randrange(1, 2000))
    changed = bytearray(data)
    for _ in range(1 if kind == 2 else 20):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)

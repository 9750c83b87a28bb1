"""The service as a process, a real Redis, and a switch between the two."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis as redis_py
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.switch import Switch, switch
from tests.journeys.running import Running, item_ids, running, until
from tests.redis_server import RedisServer, redis_server

QUICK = {
    "SIGHTLINE_PROCESSES__WORKERS": "1",  # breakers and their counts are per process
    "SIGHTLINE_SESSIONS__CACHE_MS": "0",
    "SIGHTLINE_REDIS__CONNECT_TIMEOUT_MS": "300",
    "SIGHTLINE_REDIS__SOCKET_TIMEOUT_MS": "300",
    "SIGHTLINE_REDIS__READ_TIMEOUT_MS": "300",
    "SIGHTLINE_REDIS__WRITE_TIMEOUT_MS": "500",
    "SIGHTLINE_REDIS__WRITE_WAIT_MS": "100",
    "SIGHTLINE_REDIS__BREAKER_OPEN_S": "0.2",
    "SIGHTLINE_REDIS__BREAKER_OPEN_MAX_S": "0.8",
    "SIGHTLINE_PIPELINE__TIMEOUT_MS": "1000",
}
USER, K = "ann", 10
BACK_WITHIN_S = 20.0
CLIENTS = 4
Answer = dict[str, object]


@dataclass
class Shop:
    """What a test breaks, and what it asks."""

    service: Running
    redis: RedisServer
    between: Switch
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self) -> Answer:
        """One list; anything but a full, honest 200 is a failure, whatever is broken."""
        body = {"user_id": USER, "k": K, "explore": 0}
        response = self.service.http.post("/v1/recommend", json=body)
        assert response.status_code == httpx.codes.OK, response.text
        answer: Answer = response.json()
        assert len(set(item_ids(answer))) == K
        reasons: list[str] = answer["degraded"]["reasons"]  # type: ignore[index]
        assert set(reasons) <= {"session"}, reasons
        assert answer["signal"]["actions"] == (0 if reasons else 1)  # type: ignore[index]
        return answer

    def is_degraded(self) -> bool:
        return bool(self.ask()["degraded"]["is_degraded"])  # type: ignore[index]

    def crowd(self, asks: int) -> list[bool]:
        """Lists for several clients at once; whether each was degraded."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            return list(clients.map(lambda _: self.is_degraded(), range(asks)))

    def post_event(self, event_id: str | None = None) -> httpx.Response:
        event = {
            "event_id": event_id or f"e{next(self.numbers)}",
            "event_type": "view",
            "user_id": "somebody-else",
            "item_id": "item-9",
            "timestamp": time.time(),
        }
        return self.service.http.post("/v1/events", json={"events": [event]})

    def counted(self, family: str, **labels: str) -> float:
        """Sum of the samples of a metric family that carry these labels."""
        text = self.service.http.get("/metrics").text
        return sum(
            sample.value
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
            if sample.name == family and labels.items() <= sample.labels.items()
        )

    def whole(self) -> None:
        """Waits until answers are personal again, and the person did exactly one thing."""
        until(self._is_whole, BACK_WITHIN_S, "whole")

    def mend(self) -> None:
        """Undoes whatever a test did."""
        if self.redis.process is None:
            self.redis.start()
        self.redis.resume()
        self.between.delay_s = 0.0
        self.between.resume()
        if not self.between.is_listening:
            self.between.accept()
        with self.redis.client() as plain:
            plain.replicaof("NO", "ONE")
            plain.config_set("maxmemory", 0)

    def _is_whole(self) -> bool:
        body = {"user_id": USER, "k": K, "explore": 0}
        answer = self.service.http.post("/v1/recommend", json=body).json()
        if answer["degraded"]["is_degraded"]:
            return False
        if answer["signal"]["actions"] == 1:
            return True
        self._restore()
        return False

    def _restore(self) -> None:
        """Ann viewed one item, and nothing else is known of anybody."""
        with suppress(redis_py.RedisError), self.redis.client() as plain:
            plain.flushall()
        event = {"event_id": "ann-1", "event_type": "view", "user_id": USER, "item_id": "item-7"}
        self.service.http.post("/v1/events", json={"events": [event]})


@contextmanager
def opened_shop(store: Path, folder: Path, **environment: str) -> Iterator[Shop]:
    with (
        redis_server("--appendonly", "yes", "--appendfsync", "always", tcp=True) as redis,
        switch(redis.port) as between,
        running(store, folder, between.url, **{**QUICK, **environment}) as service,
    ):
        yield Shop(service, redis, between)


def eventually(condition: Callable[[], bool], what: str) -> None:
    until(condition, BACK_WITHIN_S, what)

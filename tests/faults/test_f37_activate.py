"""F37: any process killed at any moment of an activation; the old or the new release answers."""

import contextlib
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from service.errors import ServiceError
from tests.journeys.running import item_ids, until
from tests.processes import A, B, Served, is_alive, kill, made_store, point, served
from tests.redis_server import redis_server

N_KILLS = int(os.environ.get("F37_KILLS", "9"))
"""`F37_KILLS=50` for the figure; a kill takes seconds, as whoever was killed has to come back."""

K = 10
WHOLE_WITHIN_S, PAUSE_S = 60.0, 0.05
AFTER = 1.2
"""Kills strike from the command until a fifth of an activation after its end."""

ACTIONS = [{"item_id": f"item-{n}", "event_type": "click"} for n in (7, 11, 13)]
BODY = {"anonymous_id": "ann", "k": K, "explore": 0, "recent_actions": ACTIONS}


@dataclass
class Asker:
    """Asks all the time; whatever answers must be one whole release.

    Attributes:
        lists: what each release answers when it is alone.
        wrong: answers that no release gives.
    """

    lists: dict[str, set[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    n_answers: int = 0

    def learn(self, shop: Served) -> None:
        for release in (B, A):
            shop.activate(release)
            shop.settled()
            self.lists[release] = self.ask(shop)[1]

    def ask(self, shop: Served) -> tuple[str, set[str]]:
        response = httpx.post(f"{shop.service.url}/v1/recommend", json=BODY, timeout=20.0)
        document = response.json()
        assert response.status_code == httpx.codes.OK, document
        release: str = document["versions"]["release"]
        assert response.headers["x-release"] == release
        return release, set(item_ids(document))

    @contextmanager
    def asking(self, shop: Served) -> Iterator[None]:
        end = threading.Event()

        def ask() -> None:
            while not end.wait(PAUSE_S):
                with contextlib.suppress(httpx.TransportError):  # whoever would answer was killed
                    self.look(shop)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def look(self, shop: Served) -> str:
        """The release that answers; notes an answer that is not its own."""
        release, items = self.ask(shop)
        self.n_answers += 1
        if items != self.lists.get(release):
            self.wrong.append(f"{release} answers {sorted(items)}")
        return release


def activation(shop: Served, release: str) -> threading.Thread:
    """Asks for a release; whether it goes live, is refused or is never answered is open."""

    def activate() -> None:
        with contextlib.suppress(ServiceError, OSError, ValueError, EOFError):
            shop.activate(release)

    thread = threading.Thread(target=activate)
    thread.start()
    return thread


def whole(shop: Served, asker: Asker) -> None:
    """Waits until one family of two workers answers, and is what CURRENT says."""

    def is_whole() -> bool:
        with contextlib.suppress(httpx.TransportError, ServiceError, OSError):
            is_one_family = (len(shop.hosts()), len(shop.workers())) == (1, 2)
            return is_one_family and asker.look(shop) in asker.lists
        return False

    until(is_whole, WHOLE_WITHIN_S, "one whole family")


@pytest.mark.timeout(60 * N_KILLS)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_release(tmp_path: Path) -> None:
    """Supervisor, hosts and workers in turn; the supervisor is started again, as by its keeper."""
    rng, asker, store = random.Random(37), Asker(), made_store(tmp_path / "store")
    point(store, A)
    killed = 0
    with redis_server(tcp=True) as redis, contextlib.ExitStack() as running:
        env = {"SIGHTLINE_REDIS__URL": f"redis://127.0.0.1:{redis.port}/0"}
        shop = running.enter_context(served(store, tmp_path / "shop", **env))
        began_s = time.monotonic()
        asker.learn(shop)
        takes_s = (time.monotonic() - began_s) / 2
        while killed < N_KILLS:
            with asker.asking(shop):
                asked = activation(shop, shop.other)
                threading.Event().wait(rng.uniform(0.0, AFTER * takes_s))
                everybody = shop.everybody()
                victim = shop.supervisor if killed % 3 == 0 else rng.choice(sorted(everybody))
                with contextlib.suppress(ProcessLookupError):  # a former worker that has just left
                    kill(victim)
                    killed += 1
                asked.join()
            if victim == shop.supervisor:
                gone(shop, everybody)
                assert (store / "CURRENT").read_text().strip() in (A, B)
                shop = running.enter_context(served(store, tmp_path / "shop", **env))
            whole(shop, asker)
    assert asker.wrong == []
    assert asker.lists[A] != asker.lists[B] and asker.n_answers > N_KILLS


def gone(shop: Served, orphans: set[int]) -> None:
    """Waits until a killed supervisor has left nobody behind."""
    shop.service.process.wait()
    until(lambda: not any(map(is_alive, orphans)), WHOLE_WITHIN_S, "orphans gone")

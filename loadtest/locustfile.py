"""Shoppers who get recommendations, browse, compare and buy.

Against a service that runs already: `locust -f loadtest/locustfile.py --host http://127.0.0.1:8000`.
"""

import json
import os
import random
import time
import uuid
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events, task

from loadtest.items import read_items

ITEMS = read_items()
PEOPLE = 2000
"""Known people among whom shoppers are drawn; a person's session grows while the test runs."""
GUEST_SHARE = 0.3
K = 20
LEAVE_SHARE = 0.03
"""Chance, after each recommendation, that the shopper leaves and another person comes."""

rng = random.Random(20)
_calls: list[tuple[str, float, bool]] = []


def _note(name: str, response_time: float, exception: Exception | None, **_: Any) -> None:
    _calls.append((name, response_time, exception is not None))


def _write(**_: Any) -> None:
    """Hands every single duration to `loadtest.run`; locust's own statistics are rounded."""
    if "LOAD_CALLS" in os.environ:
        Path(os.environ["LOAD_CALLS"]).write_text(json.dumps(_calls))


events.request.add_listener(_note)
events.quitting.add_listener(_write)


class Shopper(FastHttpUser):
    """One person after another, each with a few clicks a second."""

    wait_time = between(0.05, 0.15)

    def on_start(self) -> None:
        number = rng.randrange(PEOPLE)
        is_guest = rng.random() < GUEST_SHARE
        self.who = (
            {"anonymous_id": f"device-{number}"} if is_guest else {"user_id": f"load-{number}"}
        )
        self.shown: list[str] = []
        self.recommendation_id: str | None = None

    @task(6)
    def get_recommendations(self) -> None:
        answer = self._call("/v1/recommend", {**self.who, "k": K}, must_have="items")
        self.shown = [item["item_id"] for item in answer.get("items", [])]
        self.recommendation_id = answer.get("recommendation_id")
        if rng.random() < LEAVE_SHARE:
            self.on_start()

    @task(4)
    def browse(self) -> None:
        self._act("view", "click")

    @task(1)
    def buy(self) -> None:
        self._act("add_to_cart", "purchase")

    @task(2)
    def compare(self) -> None:
        self._call("/v1/similar", {"item_id": ITEMS.draw(rng), "k": K}, must_have="items")

    def _act(self, *event_types: str) -> None:
        """Sends events about one item: half of the time one that was recommended."""
        is_recommended = bool(self.shown) and rng.random() < 0.5  # noqa: PLR2004
        item_id = rng.choice(self.shown) if is_recommended else ITEMS.draw(rng)
        common = {**self.who, "item_id": item_id, "timestamp": int(time.time() * 1000)}
        if is_recommended and self.recommendation_id:
            common["recommendation_id"] = self.recommendation_id
        batch = [{**common, "event_id": uuid.uuid4().hex, "event_type": t} for t in event_types]
        self._call("/v1/events", {"events": batch}, must_have="accepted")

    def _call(self, path: str, body: dict[str, Any], must_have: str) -> dict[str, Any]:
        """POSTs and checks that the answer is of use; counts a failure otherwise."""
        with self.client.post(path, json=body, catch_response=True) as answer:
            if answer.status_code != 200:  # noqa: PLR2004
                answer.failure(f"status {answer.status_code}: {answer.text[:200]}")
                return {}
            parsed: dict[str, Any] = answer.json()
            if not parsed.get(must_have):
                answer.failure(f"an answer without {must_have}: {str(parsed)[:200]}")
            return parsed

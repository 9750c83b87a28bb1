"""What each release answers to each person, learnt one by one, and the judge of later answers."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from loadtest.calls import Outcome
from loadtest.client import OK, Answer, Connection, encode
from loadtest.processes import LoadTestFailed
from loadtest.reference.bundle import Actions, Bundle
from loadtest.reference.people import CLICK

K, DEPTH = 20, 100
PEOPLE = 300
N_ACTIONS, SPACING_S, NEAR_ROWS = 20, 60, 60
LIKE_BEFORE = 0.9
"""Share of a learnt list that has to come again; ages go on, and equal scores may change places."""
TRIES = 100


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares every answer with what the release that it names has said before.

    Attributes:
        lists: item ids by release, one set for each request.
        blocked: item ids that a release never shows.
    """

    lists: Mapping[str, Sequence[frozenset[str]]]
    blocked: Mapping[str, frozenset[str]]

    def __call__(self, number: int, answer: Answer) -> tuple[Outcome, str]:
        if answer.status != OK:
            return Outcome.STATUS, ""
        body = orjson.loads(answer.body)
        release = str(body["versions"]["release"])
        return self._judged(number, answer.head, release, body), release

    def _judged(self, number: int, head: bytes, release: str, body: Mapping[str, list]) -> Outcome:  # type: ignore[type-arg]
        if release not in self.lists or f"x-release: {release}".encode() not in head:
            return Outcome.WRONG
        shown = {item["item_id"] for item in body["items"]}
        if shown & self.blocked[release]:
            return Outcome.WRONG
        if is_degraded(body):
            return Outcome.DEGRADED
        lists = self.lists[release]
        wanted = lists[number % len(lists)]
        is_same = len(shown & wanted) >= LIKE_BEFORE * len(wanted)
        return Outcome.OK if is_same else Outcome.WRONG


def is_degraded(body: Mapping[str, object]) -> bool:
    """Whether an answer says that it is less than it should be."""
    degraded = body["degraded"]
    return isinstance(degraded, dict) and bool(degraded["is_degraded"])


def people(item_ids: Sequence[str]) -> dict[str, Actions]:
    """Everybody has clicked on items near each other, one a minute, oldest first."""
    rng, now = random.Random(7), time.time()
    at_s = [round(now - SPACING_S * age, 3) for age in range(N_ACTIONS, 0, -1)]
    histories = {}
    for number in range(PEOPLE):
        first = rng.randrange(len(item_ids) - NEAR_ROWS)
        items = rng.sample(item_ids[first : first + NEAR_ROWS], N_ACTIONS)
        histories[f"swap-{number}"] = list(zip(items, [CLICK[1]] * N_ACTIONS, at_s, strict=True))
    return histories


def teach(url: str, histories: Mapping[str, Actions]) -> list[bytes]:
    """Sends everybody's clicks; returns an encoded request for each person."""
    connection, requests = Connection(url), []
    for user_id, actions in histories.items():
        events = [
            {
                "event_id": f"{user_id}-{number}",
                "event_type": CLICK[0],
                "user_id": user_id,
                "item_id": item_id,
                "timestamp": at_s,
            }
            for number, (item_id, _, at_s) in enumerate(actions)
        ]
        connection.send(encode("/v1/events", {"events": events}))
        requests.append(encode("/v1/recommend", {"user_id": user_id, "k": K, "explore": 0}))
    connection.close()
    return requests


def recall(bundle: Bundle, histories: Mapping[str, Actions]) -> float:
    """Share of the true 100 nearest items that the index finds for these people, mean."""
    shares = []
    for actions in histories.values():
        vector = bundle.embed(actions)
        labels, _ = bundle.index.knn_query(vector, k=DEPTH)
        found = {bundle.item_ids[row] for row in labels[0]}
        shares.append(len(found & bundle.exact(vector, DEPTH)) / DEPTH)
    return sum(shares) / len(shares)


def learn(url: str, requests: Sequence[bytes], release: str) -> list[frozenset[str]]:
    """The lists of the live release, asked while it is alone.

    Raises:
        LoadTestFailed: another release answers, or answers stay degraded.
    """
    connection = Connection(url)
    try:
        return [_list(connection, request, release) for request in requests]
    finally:
        connection.close()


def _list(connection: Connection, request: bytes, release: str) -> frozenset[str]:
    for _ in range(TRIES):
        body = json.loads(connection.send(request))
        if body["versions"]["release"] != release:
            raise LoadTestFailed(f"{body['versions']['release']} answers, not {release}")
        if not is_degraded(body):
            return frozenset(item["item_id"] for item in body["items"])
    raise LoadTestFailed(f"answers stay degraded: {body['degraded']}")


def blocked(release: Path) -> frozenset[str]:
    """Ids of the items that a release blocks."""
    table = pq.read_table(release / "catalogue.parquet", columns=["item_id", "is_blocked"])
    return frozenset(table.filter(table["is_blocked"])["item_id"].to_pylist())

"""The live effect, measured from outside: what a few lines of a running order are worth.

Speaks HTTP to a running service only. For every big order of the test period it posts the
buyer's earlier actions, then some lines of the order as events, and asks for the rest.
"""

import argparse
import http.client
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from tqdm import tqdm

from models.errors import ModelsError
from models.evaluation.cases import SHOWN_AGE_S, Cases
from models.evaluation.metrics import UserBootstrap, Values
from models.evaluation.protocols import LIVE_FIXED_LINES, live_orders, next_orders
from models.interactions import Log, read_log, split_time
from models.recipes import load_dataset
from service.domain.actions import ACTIONS
from service.domain.arrays import Rows

SHOWN = (0, 1, 3, 5)
"""Lines of the running order that the service has seen, as in the offline protocol."""
K = 50
STORED = 50
"""Earlier actions posted per buyer: what the service keeps."""
OLDEST_S = 360 * 86_400
"""The service rejects events older than a year."""

Json = Mapping[str, object]
Said = tuple[str, str, float]
"""Item id, event type, epoch seconds."""


class ServiceAnswer(ModelsError):
    """The service cannot be reached, or answers something else than the measurement needs."""


class Client:
    """One keep-alive connection to the service."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ServiceAnswer(f"{url} is no address of a service: give http://HOST:PORT")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        self._url = url

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The JSON answer.

        Raises:
            ServiceAnswer: no answer, or not 200.
        """
        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            text = response.read()
        except OSError as error:
            raise ServiceAnswer(f"{self._url} does not answer ({error}): start it first") from error
        if response.status != http.HTTPStatus.OK:
            raise ServiceAnswer(f"{method} {path} answered {response.status}: {text[:200]!r}")
        answer: Json = json.loads(text)
        return answer


@dataclass(frozen=True, slots=True)
class Replay:
    """One run.

    Attributes:
        cases: with five shown lines each.
        before: the same cases before any line was shown.
        run: a mark that keeps the buyers of this run apart.
    """

    client: Client
    cases: Cases
    before: Cases
    run: str

    def recalls(self, case: int) -> list[float]:
        """Recall@50 of the rest of the order after each number of `SHOWN` lines."""
        now_s = time.time()
        self._post(case, "earlier", self._earlier(case, now_s))
        lines = self.cases.shown[self.cases.shown_at[case] : self.cases.shown_at[case + 1]]
        targets = self._ids(self.cases.target_rows(slice(case, case + 1))[0])
        found, n_posted = [], 0
        for n_shown in SHOWN:
            new = [
                (item_id, "purchase", now_s - SHOWN_AGE_S)
                for item_id in self._ids(lines[n_posted:n_shown])
            ]
            self._post(case, f"line{n_posted}", new)
            n_posted = n_shown
            found.append(len(self._recommended(case) & targets) / min(K, len(targets)))
        return found

    def _ids(self, rows: Rows) -> set[str]:
        return {self.cases.log.items.ids[row] for row in rows.tolist()}

    def _earlier(self, case: int, now_s: float) -> Iterator[Said]:
        """The buyer's newest actions before the order, moved so that the order starts now."""
        past = self.before.past(slice(case, case + 1), STORED)
        for at in np.flatnonzero(past.age_s < OLDEST_S):
            name = ACTIONS[past.action[at]]
            yield self.cases.log.items.ids[past.row[at]], name, now_s - float(past.age_s[at])

    def _post(self, case: int, mark: str, actions: Iterable[Said]) -> None:
        events = [
            {
                "event_id": f"{self.run}-{case}-{mark}-{n}",
                "event_type": event_type,
                "user_id": self._user(case),
                "item_id": item_id,
                "timestamp": at_s,
            }
            for n, (item_id, event_type, at_s) in enumerate(actions)
        ]
        if not events:
            return
        answer = self.client.call("POST", "/v1/events", {"events": events})
        if answer["accepted"] != len(events):
            raise ServiceAnswer(f"of {len(events)} events not all were stored: {answer}")

    def _recommended(self, case: int) -> set[str]:
        body = {"user_id": self._user(case), "k": K, "explore": 0}
        answer = self.client.call("POST", "/v1/recommend", body)
        if answer["degraded"]["reasons"]:  # type: ignore[index]
            raise ServiceAnswer(f"a degraded answer proves nothing: {answer['degraded']}")
        return {item["item_id"] for item in answer["items"]}  # type: ignore[attr-defined]

    def _user(self, case: int) -> str:
        return f"live-{self.run}-{case}"


def check_release(client: Client, before_s: int) -> str:
    """The name of the live release, which must not have seen the test period.

    Raises:
        ServiceAnswer: none is live, or it was trained on what is to be predicted.
    """
    releases = client.call("GET", "/v1/releases")["releases"]
    live = next((r for r in releases if r["state"] == "live"), None)  # type: ignore[attr-defined]
    if live is None:
        raise ServiceAnswer("no release is live")
    through_s = datetime.fromisoformat(live["trained_through"]).timestamp()
    if through_s > before_s + 1:  # the manifest names the first second after the last event
        raise ServiceAnswer(
            f"release {live['name']} was trained through {live['trained_through']}, after the "
            "test period began: build one with `python -m models release --until 0.8 --no-metrics`"
        )
    return str(live["name"])


def live_cases(log: Log, n_shown: int) -> Cases:
    """Orders of ten and more lines in the test period, with so many lines shown."""
    return live_orders(next_orders(log, split_time(log)), n_shown, seed=0)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    parser.add_argument("--cases", type=int, default=None, help="only the first N orders")


def command(args: argparse.Namespace) -> int:
    log = read_log(args.data, load_dataset(args.data))
    cases, before = live_cases(log, LIVE_FIXED_LINES), live_cases(log, 0)
    n = cases.n if args.cases is None else min(args.cases, cases.n)
    cases, before = cases.take(np.arange(n)), before.take(np.arange(n))
    client = Client(args.url)
    name = check_release(client, split_time(log))
    replay = Replay(client, cases, before, f"{time.time_ns():x}")
    rows = [replay.recalls(case) for case in tqdm(range(cases.n), unit=" orders")]
    report(name, cases, np.array(rows))
    return 0


def report(name: str, cases: Cases, recalls: Values) -> None:
    """Prints Recall@50 by number of shown lines, with intervals over buyers."""
    bootstrap = UserBootstrap(cases.user, seed=0)
    write = sys.stdout.write
    write(f"release {name}: {cases.n} orders of {bootstrap.n_users} buyers, over HTTP\n")
    write("| lines shown | Recall@50 of the rest | gain over none |\n| --- | --- | --- |\n")
    for column, n_shown in enumerate(SHOWN):
        value = bootstrap.estimate(recalls[:, column])
        gain = bootstrap.difference(recalls[:, column], recalls[:, 0])
        write(f"| {n_shown} | {value.value:.3f} [{value.low:.3f}, {value.high:.3f}] ")
        write(f"| {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] |\n")

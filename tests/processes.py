"""A service of several processes, seen from outside: its family tree, and a crowd that asks."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from service.domain.releases import ReleasesOverview, ReleaseStatus
from service.processes.control import ControlClient, find_control
from tests.journeys.running import Running, running, until
from tests.releases import make_release

A, B = "20231114-000000", "20231115-000000"
SOON_S = 30.0
QUICK = {
    "SIGHTLINE_PROCESSES__WORKERS": "2",
    "SIGHTLINE_PROCESSES__DRAIN_IDLE_S": "0.5",
    "SIGHTLINE_PROCESSES__LINGER_S": "0.5",
    "SIGHTLINE_PROCESSES__IDLE_LOAD_S": "0.2",  # a crowd of tests leaves no core idle
}
BY = "tests"


def made_store(folder: Path) -> Path:
    """A store of two releases that both fit; B is current until somebody says otherwise."""
    make_release(folder, name=A, seed=1)
    make_release(folder, name=B, seed=2)
    return folder


def point(store: Path, release: str) -> None:
    (store / "CURRENT").write_text(f"{release}\n")


@dataclass
class Served:
    """A running service, its supervisor's process id, and what an operator can do to it."""

    service: Running
    folder: Path

    @property
    def supervisor(self) -> int:
        return self.service.process.pid

    @property
    def admin(self) -> ControlClient:
        return ControlClient(find_control(self.folder / "var"))

    @property
    def live(self) -> str:
        """What a new caller meets; on a kept connection a former worker may answer once more."""
        release: str = httpx.get(f"{self.service.url}/readyz").json()["release"]
        return release

    def overview(self) -> ReleasesOverview:
        return asyncio.run(self.admin.overview())

    def activate(self, name: str, force: str = "") -> ReleaseStatus:
        return asyncio.run(self.admin.activate(name, BY, force))

    def load(self, name: str) -> ReleaseStatus:
        return asyncio.run(self.admin.load(name, BY))

    def rollback(self) -> ReleaseStatus:
        return asyncio.run(self.admin.rollback(BY))

    def hosts(self) -> set[int]:
        return {pid for pid in descendants(self.supervisor) if name(pid) == "sightline-host"}

    def workers(self) -> set[int]:
        return {pid for pid in descendants(self.supervisor) if name(pid) == "sightline-work"}

    def spares(self) -> set[int]:
        return {pid for pid in descendants(self.supervisor) if name(pid) == "sightline-spare"}

    def processes(self) -> set[int]:
        """Hosts that were told what to load, and workers."""
        return self.hosts() | self.workers()

    def everybody(self) -> set[int]:
        """Also a spare host, and those that have only just begun."""
        below = descendants(self.supervisor)
        return {pid for pid in below if "redis-server" not in command(pid)}

    @property
    def other(self) -> str:
        """The release that is not live."""
        return B if self.live == A else A

    def log(self) -> list[dict[str, str]]:
        """What it logged."""
        lines = self.service.log().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def settled(self, workers: int = 2) -> None:
        """Waits until there is one family of so many workers."""
        until(
            lambda: (len(self.hosts()), len(self.workers())) == (1, workers),
            SOON_S,
            f"one family of {workers}",
        )


@contextmanager
def served(store: Path, folder: Path, **environment: str) -> Iterator[Served]:
    with running(store, folder, **{**QUICK, **environment}) as service:
        yield Served(service, folder)


def descendants(process: int) -> set[int]:
    """Process ids below this one; zombies are gone already."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry)) and fields[0] != "Z":
            parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    while new := {pid for pid, parent in parents.items() if parent in found | {process}} - found:
        found |= new
    return found


def name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def is_alive(process: int) -> bool:
    fields = _stat(Path(f"/proc/{process}"))
    return bool(fields) and fields[0] != "Z"


def kill(*processes: int, number: signal.Signals = signal.SIGKILL) -> None:
    for process in processes:
        os.kill(process, number)


def _stat(entry: Path) -> list[str]:
    """State and parent of a process."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return []


@dataclass
class Crowd:
    """People who ask over and over, each on a connection that is kept while the service lets it.

    Whoever cannot connect any more goes away.

    Attributes:
        errors: connections that broke while an answer was waited for.
        wrong: answers that are no full list, or of two releases at once.
        releases: how many answers each release gave.
    """

    url: str
    n_clients: int = 4
    pause_s: float = 0.02
    errors: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    releases: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Crowd":
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.n_clients)]
        for thread in self._threads:
            thread.start()
        until(lambda: self.answers > self.n_clients or bool(self.errors), SOON_S, "answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_turned_away(self) -> bool:
        """Whether all of them were."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def answers(self) -> int:
        return sum(self.releases.values())

    def asks_on(self, answers: int = 50) -> None:
        """Waits until so many more answers have come."""
        wanted = self.answers + answers
        until(lambda: self.answers >= wanted, SOON_S, f"{answers} more answers")

    def is_content(self) -> None:
        assert self.errors == []
        assert self.wrong == []

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=20.0) as http:
            while not self._end.wait(self.pause_s):
                try:
                    answer = http.get("/v1/recommend/ann", params={"k": 5})
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    self.errors.append(f"{time.time():.3f} {error!r}")
                else:
                    self._look(answer)

    def _look(self, answer: httpx.Response) -> None:
        document = answer.json()
        release = answer.headers.get("x-release", "none")
        found = (answer.status_code, document.get("count"), document["versions"]["release"])
        if found != (200, 5, release):
            self.wrong.append(f"{found} of {release}")
        self.releases[release] += 1

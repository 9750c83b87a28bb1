"""One service with workers, and what an operator does to it over HTTP."""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.memory import Process, all_gone, descendants
from loadtest.processes import LoadTestFailed, free_port, running, wait_ready

COMMAND_S = 600.0
GONE_S = 60.0
POLL_S = 0.02
HOST, WORKER = "sightline-host", "sightline-work"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the live release, on the clock `time.monotonic`.

    Attributes:
        release: the one that was asked for.
        gone_s: when the last worker of the former family had ended, and its host unless kept.
    """

    release: str
    asked_s: float
    answered_s: float
    gone_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that the service did not take."""

    status: int
    problem: Mapping[str, object]


class Operator:
    """Whoever has the key to a service that runs.

    Attributes:
        keeps_former: the service keeps the host of the former family, so nobody waits for its end.
    """

    def __init__(self, url: str, token: str, pid: int) -> None:
        self.url, self.pid, self._token = url, pid, token
        self.keeps_former = False

    @property
    def family(self) -> tuple[Process, ...]:
        """All processes of the service."""
        return descendants(self.pid)

    @property
    def live(self) -> str:
        """The release that is live."""
        with urllib.request.urlopen(f"{self.url}/v1/releases", timeout=10.0) as answer:
            return str(json.load(answer)["live"])

    def change(self, action: str, name: str, release: str) -> Change:
        """Activates or rolls back, and waits until the former processes are gone.

        Raises:
            LoadTestFailed: refused, or the former family stays.
        """
        ending = {WORKER} if self.keeps_former else {HOST, WORKER}
        before = [process for process in self.family if process.name in ending]
        asked_s = time.monotonic()
        refused = self.ask(action, name)
        answered_s = time.monotonic()
        if refused is not None:
            raise LoadTestFailed(f"{action} of {name}: {refused.status} {refused.problem}")
        while not all_gone(before):
            if time.monotonic() - answered_s > GONE_S:
                left = [process for process in before if process.is_alive]
                raise LoadTestFailed(f"{GONE_S:.0f} s after {action} of {name} still there: {left}")
            time.sleep(POLL_S)
        return Change(release, asked_s, answered_s, time.monotonic())

    def activate(self, name: str) -> Change:
        return self.change("activate", name, name)

    def ask(self, action: str, name: str) -> Refused | None:
        """Posts an action; None when it was done."""
        request = urllib.request.Request(
            f"{self.url}/v1/releases/{name}:{action}",
            data=b"",
            headers={"Authorization": f"Bearer {self._token}", "Connection": "close"},
        )
        try:
            with urllib.request.urlopen(request, timeout=COMMAND_S):
                return None
        except urllib.error.HTTPError as error:
            return Refused(error.code, json.loads(error.read() or b"{}"))


@contextmanager
def operated(folder: Path, env: Mapping[str, str], workers: int) -> Iterator[Operator]:
    """Runs a service on a free port until the end of the block."""
    port, token, log = free_port(), secrets.token_hex(32), folder / "service.log"
    own = {
        "PORT": str(port),
        "SIGHTLINE_SERVER__ADMIN_TOKEN": token,
        "SIGHTLINE_SERVER__LOG_LEVEL": "warning",
        "SIGHTLINE_REDIS__VAR_DIR": str(folder / "var"),
    }
    command = [sys.executable, "-m", "service", "serve", "--workers", str(workers)]
    with running(command, log, {**env, **own}) as process:
        url = f"http://127.0.0.1:{port}"
        wait_ready(process, f"{url}/readyz", log, COMMAND_S)
        yield Operator(url, token, process.pid)

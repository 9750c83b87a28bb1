"""The service as a user runs it: a process, reached over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

PATIENT = {
    "SIGHTLINE_REDIS__CONNECT_TIMEOUT_MS": "500",
    "SIGHTLINE_REDIS__SOCKET_TIMEOUT_MS": "500",
    "SIGHTLINE_REDIS__READ_TIMEOUT_MS": "500",
    "SIGHTLINE_REDIS__WRITE_TIMEOUT_MS": "5000",
    "SIGHTLINE_PIPELINE__TIMEOUT_MS": "1000",
}
"""Journeys prove what happens, not how fast: on a busy machine 10 ms may pass for nothing."""

READY_WITHIN_S = 60.0
GONE_WITHIN_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Polls until the condition holds.

    Raises:
        AssertionError: it does not within `within_s`.
    """
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, f"{what}: not within {within_s:.0f} s"
        time.sleep(0.02)


class Running:
    """A started service."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=10.0)
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    def another(self) -> "Running":
        """The same service, on a connection of its own."""
        return Running(self.process, self.url, self._log)

    def recommend(self, **request: object) -> dict[str, object]:
        response = self.http.post("/v1/recommend", json=request)
        assert response.status_code == 200, response.text
        answer: dict[str, object] = response.json()
        return answer

    def send(self, *events: Mapping[str, object]) -> dict[str, object]:
        response = self.http.post("/v1/events", json={"events": list(events)})
        assert response.status_code == 200, response.text
        answer: dict[str, object] = response.json()
        return answer

    def stop(self) -> int:
        """Ctrl-C, as a person would; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=GONE_WITHIN_S)


def item_ids(answer: Mapping[str, object]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]  # type: ignore[attr-defined]


def sources(answer: Mapping[str, object]) -> set[str]:
    return {item["source"] for item in answer["items"]}  # type: ignore[attr-defined]


@contextmanager
def running(
    store: Path,
    folder: Path,
    redis_url: str | None = None,
    *,
    is_awaited: bool = True,
    **environment: str,
) -> Iterator[Running]:
    """Starts `python -m service serve` and waits until it is ready; stops it at the end.

    Args:
        store: the release store.
        folder: working folder of the process; the embedded Redis lives in its `var`.
        redis_url: None starts the embedded Redis.
        is_awaited: False does not wait until it is ready.
        environment: further settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SIGHTLINE_", "REDIS_URL"))}
    settings = {"SIGHTLINE_RELEASES__STORE": str(store), "SIGHTLINE_SERVER__PORT": str(port)}
    settings["SIGHTLINE_REDIS__VAR_DIR"] = str(folder / "var")
    if redis_url is not None:
        settings["SIGHTLINE_REDIS__URL"] = redis_url
    log = folder / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            env={**clean, **PATIENT, **settings, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    service = Running(process, f"http://127.0.0.1:{port}", log)
    try:
        if is_awaited:
            until(lambda: _is_ready(service), READY_WITHIN_S, "service ready")
        yield service
    finally:
        service.http.close()
        if process.poll() is None:
            service.stop()


def _is_ready(service: Running) -> bool:
    assert service.process.poll() is None, f"the service ended:\n{service.log()}"
    try:
        return service.http.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

"""`make load`: shoppers against a service started for the purpose; prints latency and errors.

LOAD_SECONDS (30) and LOAD_USERS (20) set the length and the number of shoppers. With LOAD_URL a
service that runs already is used. The exit status is 1 when any call failed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest.durations import HEADER, Summary, line, summarise
from loadtest.items import STORE
from loadtest.processes import LoadTestFailed, end_on_sigterm, free_port, running, wait_ready


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The address of a service with an empty private Redis; `LOAD_URL` is taken as it is."""
    if "LOAD_URL" in os.environ:
        yield os.environ["LOAD_URL"]
        return
    port, log = free_port(), folder / "service.log"
    env = {
        "PORT": str(port),
        "REDIS_URL": "",
        "SIGHTLINE_REDIS__VAR_DIR": str(folder / "var"),
        "SIGHTLINE_RELEASES__STORE": str(STORE),
    }
    with running([sys.executable, "-m", "service", "serve"], log, env) as process:
        url = f"http://127.0.0.1:{port}"
        seconds = wait_ready(process, f"{url}/readyz", log)
        print(f"service ready on {url} after {seconds:.1f} s")
        yield url


def shop(url: str, folder: Path, users: int, seconds: int) -> list[tuple[str, float, bool]]:
    """Runs locust; returns (route, milliseconds, failed) of every call.

    Raises:
        LoadTestFailed: locust made no call.
    """
    calls, log = folder / "calls.json", folder / "locust.log"
    command = [sys.executable, "-m", "locust", "--locustfile", "loadtest/locustfile.py"]
    command += ["--headless", "--host", url, "--users", str(users), "--spawn-rate", str(users)]
    command += ["--run-time", f"{seconds}s", "--stop-timeout", "5", "--only-summary"]
    with running(command, log, {"LOAD_CALLS": str(calls)}) as process:
        try:
            process.wait(seconds + 60)
        except subprocess.TimeoutExpired:
            raise LoadTestFailed("locust did not end in time") from None
    made = json.loads(calls.read_text()) if calls.exists() else []
    if not made:
        raise LoadTestFailed(f"no call was made:\n{log.read_text()[-2000:]}")
    print(_error_report(log.read_text()), end="")
    return [(name, duration_ms, failed) for name, duration_ms, failed in made]


def summaries(calls: list[tuple[str, float, bool]], seconds: int) -> Iterator[Summary]:
    """One summary a route, and one of all."""
    for route in sorted({name for name, _, _ in calls}):
        own = [call for call in calls if call[0] == route]
        yield summarise(f"POST {route}", [c[1] for c in own], sum(c[2] for c in own), seconds)
    yield summarise("all", [c[1] for c in calls], sum(c[2] for c in calls), seconds)


def _error_report(log: str) -> str:
    _, found, report = log.partition("Error report")
    return f"Error report{report}\n" if found else ""


def main() -> int:
    end_on_sigterm()
    seconds = int(os.environ.get("LOAD_SECONDS", "30"))
    users = int(os.environ.get("LOAD_USERS", "20"))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sightline-load-") as name,
            service(Path(name)) as url,
        ):
            print(f"{users} shoppers for {seconds} s; times in milliseconds")
            rows = list(summaries(shop(url, Path(name), users, seconds), seconds))
    except LoadTestFailed as error:
        print(f"load test: {error}", file=sys.stderr)
        return 2
    print(HEADER, *map(line, rows), sep="\n")
    return 1 if rows[-1].errors else 0


if __name__ == "__main__":
    sys.exit(main())

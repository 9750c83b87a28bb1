"""Real processes that count in one folder: forked, killed, replaced."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.monitoring.metrics import Metrics

SHED = "retrieval_requests_shed_total"
Work = Callable[[Metrics], None]


@dataclass
class Process:
    """A forked process that has done its work and lives on."""

    pid: int
    leash: int
    done: int

    def ready(self) -> bool:
        """Whether its work went well; waits for it."""
        with os.fdopen(self.done, "rb") as done:
            return done.read(1) == b"1"

    def kill(self) -> None:
        if self.leash >= 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.leash)
            self.leash = -1


class Service:
    """Processes that count in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []

    def start(self, work: Work) -> Process:
        """Forks a process; returns when its work is done."""
        process = self.begin(work)
        assert process.ready(), "the process failed"
        return process

    def begin(self, work: Work) -> Process:
        done, tell = os.pipe()
        held, leash = os.pipe()
        pid = os.fork()
        if not pid:
            status = 1
            with contextlib.suppress(BaseException):
                os.close(leash)
                metrics = Metrics(self.folder)
                work(metrics)
                os.write(tell, b"1")
                os.read(held, 1)  # until killed, or the parent has ended
                status = 0
            os._exit(status)
        os.close(tell)
        os.close(held)
        process = Process(pid, leash, done)
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.kill()


def shed(n: int, *, waiting: int = 0) -> Work:
    def work(metrics: Metrics) -> None:
        for _ in range(n):
            metrics.shed("store")
            metrics.event_lag(7.0)
        metrics.events_waiting(waiting)

    return work

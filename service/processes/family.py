"""The processes of one release, as the supervisor sees them: a host and the workers it forked."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable

from service.errors import ReleaseRefused
from service.monitoring.processes import SupervisorMetrics
from service.processes.control import Message
from service.processes.orders import ACCEPT, CLOSE, END, LOAD, RETIRE, WORKERS
from service.processes.peer import Peer
from service.processes.priority import normal

ACCEPT_TIMEOUT_S = 30.0

log = logging.getLogger(__name__)


class Family:
    """One release in memory.

    Attributes:
        release: its name; empty while the family is a spare one.
        told: what the host tells of the release once it is loaded: facts, examples, quality.
        is_ending: whether it will be gone soon, unless it is staffed again.
        is_over: whether it cannot be staffed again.
        workers: those that are connected, by process id.
        is_open: whether its workers take connections.
        refusal: why the release may not go live.
    """

    def __init__(
        self,
        number: int,
        host: subprocess.Popen[bytes],
        metrics: SupervisorMetrics,
    ) -> None:
        self.number = number
        self.release = ""
        self.told: Message = {}
        self.is_ending = False
        self.is_over = False
        self.workers: dict[int, Peer] = {}
        self.is_open = False
        self.refusal: ReleaseRefused | None = None
        self._host = host
        self._metrics = metrics
        self._peer: Peer | None = None
        self._is_staffed = False
        self._changed = asyncio.Event()

    # what is asked of it

    async def load(self, order: Message, timeout_s: float) -> None:
        """Has the host verify and load a release: folder, proved (`loader.load`), overrides.

        Raises:
            ReleaseRefused: it says no, dies, or takes too long.
        """
        await self._until(lambda: self._peer is not None, timeout_s, "start")
        self._say(LOAD, workers=0, **order)
        await self._until(lambda: bool(self.told), timeout_s, "load")

    async def staff(self, workers: int, timeout_s: float) -> None:
        """Has the host keep so many workers, and waits until they are ready.

        Raises:
            ReleaseRefused: one dies before it is ready, or they take too long.
        """
        self._is_staffed = True
        self.is_ending = False
        self._say(WORKERS, workers=workers)
        await self._until(lambda: self.n_ready >= workers, timeout_s, "start its workers")

    async def open(self) -> None:
        """Has every worker take connections, now and whenever one is replaced.

        Raises:
            ReleaseRefused: they do not.
        """
        self.is_open = True
        for worker in self._staying:
            if worker.is_ready:
                worker.tell(ACCEPT)
        await self._until(self._all_accept, ACCEPT_TIMEOUT_S, "take connections")

    def leave(self, order: str = RETIRE, keeps_host: bool = False) -> None:
        """Has every worker leave as the order says, and the host end unless it is to be kept."""
        self.is_open = self._is_staffed = False
        self.is_ending = not keeps_host
        self.is_over = self.is_over or order != RETIRE
        self._say(CLOSE if self.is_over else WORKERS if keeps_host else END, workers=0)
        for worker in self.workers.values():
            worker.is_leaving = True
            worker.tell(order)

    async def shut(self) -> None:
        """Returns when nobody who leaves takes connections any more."""
        while any(worker.is_leaving and not worker.is_shut for worker in self.workers.values()):
            await self._changed.wait()

    async def left(self) -> None:
        """Returns when nobody is leaving any more."""
        while any(worker.is_leaving for worker in self.workers.values()):
            await self._changed.wait()

    async def gone(self) -> None:
        """Returns when no process is left."""
        while self.workers or self.has_host:
            await self._changed.wait()

    def kill_late(self) -> None:
        """Ends those that were to leave and did not."""
        _kill([process for process, worker in self.workers.items() if worker.is_leaving])

    def kill(self) -> None:
        """Ends all of it, whatever it does."""
        self.is_ending = True
        _kill(self.pids)

    def hurry(self) -> None:
        """Gives it its share of the processor, whoever else wants it."""
        for process in self.pids:
            normal(process)

    # what is seen of it

    @property
    def has_host(self) -> bool:
        return self._host.returncode is None

    @property
    def host_pid(self) -> int:
        return self._host.pid

    @property
    def pids(self) -> list[int]:
        return [*([self.host_pid] if self.has_host else []), *self.workers]

    @property
    def n_ready(self) -> int:
        """Workers that could answer, or do."""
        return sum(worker.is_ready for worker in self._staying)

    # what it says

    async def talk(self, hello: Message, peer: Peer) -> None:
        """Hears one of its processes out; returns when that process is gone."""
        if hello["role"] == "host":
            self._peer = peer
            self._notify()
            await self._hear(peer, self._of_host)
            return
        self.workers[hello["pid"]] = peer
        if not self._is_staffed:
            peer.is_leaving = True
            peer.tell(RETIRE)
        await self._hear(peer, self._of_worker)
        del self.workers[hello["pid"]]
        self._notify()

    def host_ended(self, code: int) -> None:
        """The host is gone, with this exit code, or minus the number of a signal."""
        self._host.returncode = code
        if not self.told and self.refusal is None:
            self.refuse("crash", f"the release cannot be loaded: its host {how(code)}")
        self._notify()

    def refuse(self, reason: str, sentence: str) -> None:
        self.refusal = ReleaseRefused(reason, sentence)
        self._notify()

    async def _hear(self, peer: Peer, about: Callable[[Peer, Message], None]) -> None:
        while (message := await peer.heard()) is not None:
            about(peer, message)
            self._notify()

    def _of_host(self, _: Peer, message: Message) -> None:
        match message["tell"]:
            case "loaded":
                self.told = message
            case "refused":
                self.refuse(message["reason"], message["detail"])
            case "worker_ended" if self.is_open:
                wait_s = message["wait_s"] or 0.0
                says = "worker %d of %s %s; another one is started after %.1f s"
                log.error(says, message["pid"], self.release, how(message["code"]), wait_s)
                self._metrics.worker_died()
            case "worker_ended" if self._is_staffed:
                self.refuse("crash", f"a worker {how(message['code'])} before it could answer")

    def _of_worker(self, worker: Peer, message: Message) -> None:
        if not worker.is_ready:
            self._metrics.worker_started()
        worker.is_ready = True
        worker.is_accepting = message["tell"] == "accepting"
        worker.is_shut = message["tell"] == "shut"
        if self.is_open and message["tell"] == "ready":
            worker.tell(ACCEPT)

    @property
    def _staying(self) -> list[Peer]:
        return [worker for worker in self.workers.values() if not worker.is_leaving]

    def _all_accept(self) -> bool:
        ready = [worker for worker in self._staying if worker.is_ready]
        return bool(ready) and all(worker.is_accepting for worker in ready)

    def _say(self, tell: str, **words: object) -> None:
        if self._peer is not None:
            self._peer.tell(tell, **words)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        if not self.has_host:
            raise ReleaseRefused("crash", f"the host of {self.release} has ended")

    async def _until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._check()
                    await self._changed.wait()
        except TimeoutError:
            raise ReleaseRefused(
                "crash", f"{self.release} did not {what} within {timeout_s:g} s"
            ) from None


def _kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def how(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"

"""The host of a release: a process that verifies and loads it, then forks those that answer.

Started by the supervisor as `python -m service.processes.host CONTROL LISTENER FAMILY`. It owns no
event loop and no thread, so that forking is safe; whatever a file does to the native libraries
happens here, before anybody depends on it.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from service.domain.ladders import ALL
from service.errors import ReleaseRefused, SetupInvalid
from service.monitoring.logs import configure_logs
from service.ports.serving import Release
from service.processes.backoff import Backoff
from service.processes.control import Message, decode, encode
from service.processes.linux import die_with_parent, name_process
from service.processes.orders import CLOSE, LOAD, WORKERS
from service.processes.worker import Worker, run_worker
from service.releases.files import Identities
from service.releases.gate import measured
from service.releases.loader import Loaded, load
from service.settings.tree import load_settings

READ_BYTES = 65_536
FACTS = ("embedding_version", "trained_through", "as_of")
EXAMPLES = 2

log = logging.getLogger(__name__)


class Wire:
    """The control connection of a process without an event loop."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._rest = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def tell(self, tell: str, **words: object) -> None:
        """Says something; a supervisor that is gone is met when reading."""
        try:
            self._socket.sendall(encode({"tell": tell, **words}))
        except OSError:
            log.debug("nobody hears %s", tell)

    def heard(self) -> Iterator[Message]:
        """What arrived; waits for something. Raises EOFError when the supervisor is gone."""
        received = self._socket.recv(READ_BYTES)
        if not received:
            raise EOFError
        *lines, self._rest = (self._rest + received).split(b"\n")
        yield from map(decode, lines)

    def close(self) -> None:
        self._socket.close()


class Host:
    """Keeps as many workers as it is told to, until it is told to end."""

    def __init__(self, wire: Wire, worker: Worker) -> None:
        self._wire = wire
        self._worker = worker
        self._wanted = 0
        self._is_ending = False
        self._children: dict[int, float] = {}
        self._leaving: set[int] = set()
        self._backoff = Backoff()
        self._ended, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)

    def run(self) -> None:
        """Returns when it was told to end, or the supervisor is gone, and no worker is left."""
        heard: list[Wire | int] = [self._wire, self._ended]
        while not self._is_ending or self._children or self._leaving:
            self._fork_missing()
            ready, _, _ = select.select(heard, [], [], self._wait_s())
            if self._ended in ready:
                os.read(self._ended, READ_BYTES)
            if self._wire in ready and not self._listen():
                heard.remove(self._wire)
            self._reap()

    def _listen(self) -> bool:
        """Obeys; False when nobody will say anything any more."""
        try:
            for order in self._wire.heard():
                self._keep(order["workers"])
                self._is_ending = order["tell"] != WORKERS
                if order["tell"] == CLOSE:
                    self._worker.listener.close()
        except (EOFError, OSError):
            self._keep(0)
            self._is_ending = True
            return False
        return True

    def _keep(self, workers: int) -> None:
        """Keeps so many; none means that those there are leave, and are missed no more."""
        self._wanted = workers
        if not workers:
            self._leaving.update(self._children)
            self._children.clear()

    def _wait_s(self) -> float | None:
        missing = len(self._children) < self._wanted
        return self._backoff.wait_s(time.monotonic()) if missing else None

    def _fork_missing(self) -> None:
        while len(self._children) < self._wanted and not self._backoff.wait_s(time.monotonic()):
            self._fork()

    def _fork(self) -> None:
        child = os.fork()
        if child:
            self._children[child] = time.monotonic()
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._wire.close()
            run_worker(self._worker)
            code = 0
        except Exception:
            log.exception("a worker could not go on")
        finally:
            os._exit(code)  # what the host would do at its end is not the worker's to do

    def _reap(self) -> None:
        while self._children or self._leaving:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            if child in self._leaving:
                self._leaving.discard(child)
                continue
            now_s = time.monotonic()
            self._backoff.ended(now_s - self._children.pop(child), now_s)
            code = os.waitstatus_to_exitcode(status)
            self._wire.tell("worker_ended", pid=child, code=code, wait_s=self._wait_s())


def main(control: str, listener: int, family: int) -> None:
    """Loads the release that the supervisor names, tells what came of it, and hosts it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides who ends, and when
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    die_with_parent(signal.SIGKILL)  # while it cannot hear that the supervisor is gone
    name_process("sightline-spare")
    wire = Wire(control)
    wire.tell("hello", role="host", family=family, pid=os.getpid())
    order = _order(wire)
    if order is None:
        return
    name_process("sightline-host")
    try:
        settings = load_settings(order["overrides"])
        configure_logs(settings.server.log_level)
        loaded = load(Path(order["folder"]), _identities(order["proved"]))
    except ReleaseRefused as error:
        wire.tell("refused", reason=error.reason, detail=str(error))
        return
    except SetupInvalid as error:
        wire.tell("refused", reason="crash", detail=str(error))
        return
    if loaded.left_out:
        says = "no file of %s was changed since it was proved; not checked again: %s"
        log.info(says, loaded.release.name, ", ".join(loaded.left_out))
    listening = socket.socket(fileno=listener)
    _host(wire, Worker(settings, loaded.release, listening, Path(control), family), loaded)


def _order(wire: Wire) -> Message | None:
    """What to load; a spare host may wait for it for long. None when it is to end instead."""
    try:
        order = next(wire.heard())
    except (EOFError, OSError):
        return None
    return order if order["tell"] == LOAD else None


def _identities(told: Message | None) -> Identities | None:
    """Those of a release that was proved before, as JSON has them."""
    return told and {name: tuple(numbers) for name, numbers in told.items()}


def _host(wire: Wire, worker: Worker, loaded: Loaded) -> None:
    die_with_parent(0)
    gc.collect()
    gc.freeze()  # else collecting would write to pages that are shared
    threads = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 1
    if threads > 1:
        log.warning("%d threads run in the host at the fork; workers may hang", threads)
    wire.tell(
        "loaded",
        facts=_facts(worker.release),
        examples=examples(worker.release),
        ndcg_10=_ndcg_10(worker.release),
        proved=loaded.proved,
    )
    Host(wire, worker).run()


def _facts(release: Release) -> Message:
    return {"items": release.catalogue.n_built, **{name: release.manifest[name] for name in FACTS}}


def _ndcg_10(release: Release) -> dict[str, float]:
    """Over everybody, by target."""
    found = measured(release.manifest["metrics"])
    return {target: group.value for (target, segment), group in found.items() if not segment}


def examples(release: Release) -> list[str]:
    """The ids of popular items."""
    rows = release.ladder.popular_in(ALL)[:EXAMPLES].tolist()
    return [release.catalogue.item_ids[row] for row in rows]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

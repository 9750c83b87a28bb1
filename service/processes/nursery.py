"""Starts families and hears them: the control socket, the host processes, and their ends."""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import service
from service.errors import ServiceError
from service.monitoring.processes import SupervisorMetrics
from service.processes.control import LINE_BYTES, Message, encode, encode_error
from service.processes.family import Family, how
from service.processes.peer import Peer
from service.processes.priority import idle, normal
from service.processes.spare import Spare

ENVIRONMENT = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime would report to its makers from a thread
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""Libraries start no threads in a host: a fork would not take them along."""

log = logging.getLogger(__name__)
Answer = Callable[[Message], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Place:
    """What families are given: the listening socket, the control socket, settings.

    Attributes:
        overrides: what the environment does not say of the settings (`load_settings`).
        metrics: the folder in which all processes count.
    """

    listener: socket.socket
    control: Path
    overrides: Message
    metrics: Path


class Nursery:
    """All families that are not gone yet, the spare one among them."""

    def __init__(self, place: Place, metrics: SupervisorMetrics) -> None:
        self.families: dict[int, Family] = {}
        self.spare = Spare(self._begun)
        self._place = place
        self._metrics = metrics
        self._n_families = 0
        self._answer: Answer
        self._lost: Callable[[Family], None]
        self._server: asyncio.Server

    async def open(self, answer: Answer, lost: Callable[[Family], None]) -> None:
        """Listens on the control socket; only this user may connect.

        Args:
            answer: answers requests of operators.
            lost: is told when a host has ended.
        """
        self._answer, self._lost = answer, lost
        path = self._place.control
        path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX)
        os.fchmod(bound.fileno(), 0o600)
        bound.bind(str(path))
        path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._met, sock=bound, limit=LINE_BYTES)

    def start(self, release: str, is_quiet: bool) -> Family:
        """Gives a release a host, the spare one if there is one; it waits to be told to load.

        Args:
            release: its name.
            is_quiet: whether it is to keep out of the way of others.
        """
        family = self.spare.take() or self._begun()
        family.release = release
        (idle if is_quiet else normal)(family.host_pid)
        return family

    async def load(
        self, family: Family, folder: Path, proved: Message | None, timeout_s: float
    ) -> None:
        """See `Family.load`."""
        order = {"folder": str(folder), "proved": proved, "overrides": self._place.overrides}
        await family.load(order, timeout_s)

    @property
    def pids(self) -> list[int]:
        """Of all processes but the supervisor and the spare host."""
        families = self.families.values()
        return [pid for family in families for pid in family.pids if pid not in self.spare.pids]

    def reap(self) -> None:
        """Takes note of ended children; as the first process of a container, of orphans too."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended(*ended)

    def _begun(self) -> Family:
        """A new family, of no release so far."""
        self._n_families += 1
        listener = self._place.listener.fileno()
        arguments = [str(self._place.control), str(listener), str(self._n_families)]
        host = subprocess.Popen(
            [sys.executable, "-P", "-m", "service.processes.host", *arguments],
            pass_fds=[listener],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT, **_imports()},
            process_group=0,  # Ctrl-C reaches only the supervisor
        )
        family = Family(self._n_families, host, self._metrics)
        self.families[family.number] = family
        return family

    def _ended(self, process: int, status: int) -> None:
        hosts = {family.host_pid: family for family in self.families.values()}
        family = hosts.get(process)
        if family is not None:
            code = os.waitstatus_to_exitcode(status)
            family.host_ended(code)
            self.spare.ended(family, how(code))
            self._lost(family)
            self._forget(family)

    def _forget(self, family: Family) -> None:
        """Once none of its processes is left."""
        if not family.has_host and not family.workers:
            self.families.pop(family.number, None)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a process of a family, or somebody who asks something."""
        peer = Peer(reader, writer)
        try:
            first = await peer.heard()
            if first is not None and "do" in first:
                writer.write(encode(await self._answered(first)))
                await writer.drain()
            elif first is not None and (family := self._of(first)) is not None:
                await family.talk(first, peer)
                self._forget(family)
        except (ServiceError, KeyError, OSError) as error:
            log.warning("a connection to the control socket makes no sense: %r", error)
        finally:
            writer.close()

    def _of(self, hello: Message) -> Family | None:
        """The family of a process; None for one whose supervisor was killed before this one began.

        Such a host may have been starting all the while, and families are numbered anew.
        """
        family = self.families.get(hello["family"])
        is_other = (
            family is not None and hello["role"] == "host" and hello["pid"] != family.host_pid
        )
        return None if is_other else family

    async def _answered(self, request: Message) -> Message:
        number = {"id": request.get("id")}
        try:
            return {**number, "ok": await self._answer(request)}
        except ServiceError as error:
            return {**number, "error": encode_error(error)}


def _imports() -> dict[str, str]:
    """Has a host run the same code as this process, wherever either was started."""
    root = str(Path(service.__path__[0]).parent)
    rest = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([root, rest]) if rest else root}

"""Which worker of a service answers a connection, out of /proc; and one connection to each."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from loadtest.client import Connection
from loadtest.memory import descendants
from loadtest.processes import LoadTestFailed

WORKER = "sightline-work"
"""What the kernel keeps of the name of a worker."""
TABLE = Path("/proc/net/tcp")
OURS, THEIRS, INODE = 1, 2, 9
"""Columns of the table of connections; see proc(5)."""
WITHIN_S = 10.0


def workers(pid: int) -> set[int]:
    """The process ids of the workers below a process."""
    return {process.pid for process in descendants(pid) if process.name == WORKER}


def answering(near: int, far: int, pids: Iterable[int]) -> int:
    """Which of these processes holds the far end of a connection of this machine.

    Args:
        near: port of the caller.
        far: port of the service.
        pids: of this user.

    Raises:
        LoadTestFailed: none of them does.
    """
    socket = f"socket:[{_inode(far, near)}]"
    for pid in pids:
        if socket in _open_files(pid):
            return pid
    raise LoadTestFailed(f"no worker holds the connection from port {near}: it was closed")


def one_each(pid: int, url: str, question: bytes) -> Sequence[Connection]:
    """A connection to every worker of the service with this process id.

    Raises:
        LoadTestFailed: some worker took none in 10 s.
    """
    found: dict[int, Connection] = {}
    end_s = time.monotonic() + WITHIN_S
    while found.keys() != (wanted := workers(pid)):
        if time.monotonic() > end_s:
            raise LoadTestFailed(f"only {len(found)} of {len(wanted)} workers took a connection")
        connection = Connection(url)
        connection.send(question)
        worker = answering(*connection.ports, wanted)
        if worker in found:
            connection.close()
        else:
            found[worker] = connection
    return [*found.values()]


def _inode(ours: int, theirs: int) -> str:
    """The number of the socket that has these ports; empty when there is none."""
    ends = (f"{ours:04X}", f"{theirs:04X}")
    for line in TABLE.read_text().splitlines():
        columns = line.split()
        if (columns[OURS][-4:], columns[THEIRS][-4:]) == ends:
            return columns[INODE]
    return ""


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):  # a file may be closed, or the process may end, meanwhile
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(path.readlink()))
    return found

"""The processes of a service, and what they take of memory and processors, out of /proc."""

import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PARENT_FIELD, USER_FIELD, SYSTEM_FIELD, START_FIELD = 0, 10, 11, 18
"""Positions after the state in /proc/<pid>/stat; see proc(5)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process; its start time tells it from a later one of the same number.

    Attributes:
        ticks: of the clock, for which it has run so far.
    """

    pid: int
    parent: int
    name: str
    started: int
    ticks: int

    @property
    def is_alive(self) -> bool:
        """Whether it runs still; one that has ended and waits for its parent does not."""
        found = _read(self.pid)
        return found is not None and found.started == self.started


def descendants(pid: int) -> tuple[Process, ...]:
    """The process itself, its children, theirs, and so on."""
    everybody = [
        found for path in PROC.iterdir() if path.name.isdigit() and (found := _read(path.name))
    ]
    family = {pid}
    while more := {p.pid for p in everybody if p.parent in family} - family:
        family |= more
    return tuple(process for process in everybody if process.pid in family)


def pss_bytes(processes: Iterable[Process], kind: str = "Pss") -> int:
    """Proportional set size of all together: a page that n share counts 1 / n for each.

    Args:
        processes: those that have ended meanwhile count nothing.
        kind: `Pss_Anon` leaves out files, whose pages are shared with strangers; see proc(5).
    """
    total = 0
    for process in processes:
        with suppress(OSError):  # it may have ended
            text = (PROC / str(process.pid) / "smaps_rollup").read_text()
            total += 1024 * sum(map(int, re.findall(rf"^{kind}: +(\d+) kB", text, re.MULTILINE)))
    return total


def cpu_s(processes: Iterable[Process]) -> float:
    """Processor seconds that they had used, all together, when they were found."""
    return sum(process.ticks for process in processes) / os.sysconf("SC_CLK_TCK")


def all_gone(processes: Collection[Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(process.is_alive for process in processes)


def _read(pid: int | str) -> Process | None:
    """A process that runs, None for one that does not."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    name, _, numbers = text.partition("(")[2].rpartition(") ")
    state, *fields = numbers.split()
    if state in "ZX":
        return None
    ticks = int(fields[USER_FIELD]) + int(fields[SYSTEM_FIELD])
    return Process(int(pid), int(fields[PARENT_FIELD]), name, int(fields[START_FIELD]), ticks)

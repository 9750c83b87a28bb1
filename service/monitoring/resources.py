"""What a process and its machine use: memory, descriptors, disks."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the container, or of the machine where there is none; what can be reclaimed is free."""

    used_bytes: int
    limit_bytes: int


def resident_bytes() -> int | None:
    """Resident memory of this process, pages shared with its siblings included; Linux only."""
    try:
        return int((_PROC / "self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return None


def open_fds() -> int | None:
    """Open descriptors of this process; Linux only."""
    try:
        return len(os.listdir(_PROC / "self/fd"))
    except OSError:
        return None


def free_bytes(path: Path) -> int | None:
    """Room on the disk of a path for processes without privilege."""
    try:
        stat = os.statvfs(path)
    except OSError:
        return None
    return stat.f_bavail * stat.f_frsize


def memory(proc: Path = _PROC, cgroup: Path = _CGROUP) -> Memory | None:
    """Memory of the control group (version 2), else of the machine; Linux only."""
    try:
        return _of_group(proc, cgroup) or _of_machine(proc)
    except (OSError, ValueError, KeyError):
        return None


def _of_group(proc: Path, cgroup: Path) -> Memory | None:
    """None without a limit."""
    own = (proc / "self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/")
    for folder in (cgroup / own, cgroup):
        if (folder / "memory.max").is_file():
            limit = (folder / "memory.max").read_text().strip()
            if limit == "max":
                return None
            used = int((folder / "memory.current").read_text())
            return Memory(used - _table(folder / "memory.stat")["inactive_file"], int(limit))
    return None


def _of_machine(proc: Path) -> Memory:
    info = _table(proc / "meminfo")
    total = info["MemTotal:"] * _KIB
    return Memory(total - info["MemAvailable:"] * _KIB, total)


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}

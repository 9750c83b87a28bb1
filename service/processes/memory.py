"""Whether another release fits into memory beside the live one; asked before it is loaded."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from service.errors import ReleaseRefused

MIB = 2**20
SPARE_BYTES = 256 * MIB
LIMIT_SHARE = 0.85
LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
UNLIMITED_BYTES = 2**60
"""The first version of control groups writes a number above this for no limit."""
PROCESS_BYTES = 160 * MIB
"""A host with its libraries, and what its workers do not share with it."""
RELEASE_FACTOR = 2.2
"""Memory by the bytes of its files while a release is loaded, at the peak (VmHWM of its host)."""


def check_memory(release_bytes: int, processes: Iterable[int], limit_mb: int | None) -> None:
    """Refuses a release for which there is no room (F53).

    Args:
        release_bytes: length of all its files.
        processes: of the service; what they share is counted once.
        limit_mb: instead of the limit of the control group.

    Raises:
        ReleaseRefused: "memory".
    """
    limit = limit_mb * MIB if limit_mb is not None else group_limit()
    if limit is None:
        return
    used = sum(proportional_bytes(process) for process in processes)
    new = round(release_bytes * RELEASE_FACTOR) + PROCESS_BYTES
    if used + new + SPARE_BYTES > LIMIT_SHARE * limit:
        raise ReleaseRefused(
            "memory",
            f"the service uses {used // MIB} MiB, the release needs about {new // MIB} MiB and "
            f"{SPARE_BYTES // MIB} MiB are to be spare, but 85 % of the limit are "
            f"{int(LIMIT_SHARE * limit) // MIB} MiB: allow it more memory, or serve with fewer "
            "workers",
        )


def group_limit() -> int | None:
    """The memory limit of the control group in bytes; None without one."""
    for name in LIMIT_FILES:
        with contextlib.suppress(OSError, ValueError):
            limit = int(Path(name).read_text())
            return limit if limit < UNLIMITED_BYTES else None
    return None


def proportional_bytes(process: int) -> int:
    """Proportional set size: memory that n processes share counts a n-th; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0

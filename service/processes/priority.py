"""Keeps the loading of a release out of the way of those that answer."""

import contextlib
import os
import resource

CAP_SYS_NICE = 23
NORMAL_NICE_LIMIT = 20
"""RLIMIT_NICE counts from 20 downwards: this much allows nice 0 (getrlimit(2))."""


def idle(process: int) -> None:
    """Lets a process run only while a core has nothing better to do, if that can be taken back.

    Leaving SCHED_IDLE needs CAP_SYS_NICE or RLIMIT_NICE (sched(7)), and workers that kept it would
    answer last for ever; without either the process only gives way to those that wake up.
    """
    for policy in ("SCHED_IDLE", "SCHED_BATCH") if may_return() else ("SCHED_BATCH",):
        number = getattr(os, policy, None)
        if number is not None:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(process, number, os.sched_param(0))
                return


def normal(process: int) -> None:
    """Gives a process its share again; nothing if it is gone."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(process, os.SCHED_OTHER, os.sched_param(0))


def may_return() -> bool:
    """Whether this user may give an idle process its normal share again."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    if soft >= NORMAL_NICE_LIMIT or soft == resource.RLIM_INFINITY:
        return True
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status") as file:
        words = dict(line.split(":", 1) for line in file if ":" in line)
        return bool(int(words["CapEff"], 16) >> CAP_SYS_NICE & 1)
    return False


def cores() -> int:
    """Cores that this process may use, by affinity and by the limit of its control group."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        return max(1, min(allowed or 1, -(-int(quota) // int(period))))
    return allowed or 1

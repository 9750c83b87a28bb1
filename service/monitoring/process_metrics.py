"""Metrics of a process: its memory, descriptors, clock and event loop, and the disks it needs."""

import platform
import time
from collections import deque
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from service.monitoring.families import Families
from service.monitoring.resources import free_bytes, memory, open_fds, resident_bytes
from service.monitoring.spec import MOUNTS, OPEN, Spec

LAG_WINDOW_S = 15.0
"""Longer than a scrape interval, so that no stall falls between two scrapes."""

PROCESS: tuple[Spec, ...] = (
    Spec(
        "gauge",
        "retrieval_worker_resident_memory_bytes",
        "Resident memory, summed over the processes; pages they share count in each.",
        "A steady climb: a leak; take a heap profile.",
        mode="livesum",
    ),
    Spec(
        "gauge",
        "retrieval_worker_open_fds",
        "Open file descriptors, summed over the processes.",
        "Near the limit: callers do not close connections.",
        mode="livesum",
    ),
    Spec(
        "gauge",
        "retrieval_memory_used_bytes",
        "Memory of the container (of the machine where there is none) that cannot be reclaimed.",
        "Above 85 % of the limit: the next release is refused (memory); use fewer workers.",
        is_lazy=True,
    ),
    Spec(
        "gauge",
        "retrieval_memory_limit_bytes",
        "Memory that the container, or the machine, has.",
        "Two families of workers must fit while releases switch.",
        is_lazy=True,
    ),
    Spec(
        "gauge",
        "retrieval_disk_free_bytes",
        "Room on the disks that the service writes to.",
        "Little: remove old releases. metrics full: processes that start are not counted.",
        {"mount": MOUNTS},
        is_lazy=True,
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_event_loop_lag_seconds",
        "Longest time an event loop was late within the last 15 s.",
        "Above 0.1: something blocks the loop; requests wait for it.",
    ),
    Spec(
        "gauge",
        "retrieval_worker_clock_seconds",
        "The clock of the machine at the scrape.",
        "Seconds off: events are taken for late or future; repair NTP.",
    ),
    Spec(
        "gauge",
        "retrieval_build_info",
        "1; the labels are versions.",
        "Two lines for long: processes of different versions serve side by side.",
        {"version": OPEN, "python": OPEN, "hnswlib": OPEN, "onnxruntime": OPEN},
    ),
)


class ProcessMetrics:
    """What every process says of itself."""

    def __init__(self, families: Families) -> None:
        self._resident = families.gauge("retrieval_worker_resident_memory_bytes")
        self._fds = families.gauge("retrieval_worker_open_fds")
        self._used = families.gauge("retrieval_memory_used_bytes")
        self._limit = families.gauge("retrieval_memory_limit_bytes")
        self._disks = families.gauges("retrieval_disk_free_bytes")
        self._lag = families.gauge("retrieval_event_loop_lag_seconds")
        self._clock = families.gauge("retrieval_worker_clock_seconds")
        self._lags: deque[tuple[float, float]] = deque()
        names = ("sightline", "hnswlib", "onnxruntime")
        packages = [package_version(name) for name in names]
        build = families.open_gauge("retrieval_build_info")
        build.set((packages[0], platform.python_version(), *packages[1:]), 1.0)

    def look(self, mounts: Mapping[str, Path] | None = None) -> None:
        """Reads memory, descriptors, the clock, and the disks of these folders; about 0.2 ms."""
        self._clock.set(time.time())
        for gauge, number in ((self._resident, resident_bytes()), (self._fds, open_fds())):
            if number is not None:
                gauge.set(number)
        now = memory()
        if now is not None:
            self._used.set(now.used_bytes)
            self._limit.set(now.limit_bytes)
        for mount, path in (mounts or {}).items():
            free = free_bytes(path)
            if free is not None:
                self._disks[(mount,)].set(free)

    def lagged(self, lag_s: float, now_s: float) -> None:
        """The event loop came back this late; the gauge shows the worst of the last seconds."""
        while self._lags and self._lags[0][0] < now_s - LAG_WINDOW_S:
            self._lags.popleft()
        while self._lags and self._lags[-1][1] <= lag_s:
            self._lags.pop()  # a later and longer one outlives it
        self._lags.append((now_s, lag_s))
        self._lag.set(self._lags[0][1])


def package_version(package: str) -> str:
    """The installed version; `unknown` for a package that runs from its sources."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"

"""What a process and its machine use; of the control group where there is one with a limit."""

import asyncio
import time
from pathlib import Path

import pytest

from service.monitoring.metrics import Metrics
from service.monitoring.process_metrics import LAG_WINDOW_S
from service.monitoring.pulse import feel_pulse
from service.monitoring.resources import Memory, free_bytes, memory, open_fds, resident_bytes
from tests.scrapes import sample

LAG = "retrieval_event_loop_lag_seconds"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with 1000 KiB, of which 400 are available."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("0::/shop\n")
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")
    return tmp_path


def group(folder: Path, limit: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text("700\n")
    (folder / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    return folder


def test_memory_is_that_of_the_control_group(machine: Path, tmp_path: Path) -> None:
    group(tmp_path / "cgroup/shop", "2000")
    assert memory(machine, tmp_path / "cgroup") == Memory(used_bytes=550, limit_bytes=2000)


def test_in_a_container_its_group_is_the_root(machine: Path, tmp_path: Path) -> None:
    group(tmp_path / "cgroup", "2000")
    assert memory(machine, tmp_path / "cgroup") == Memory(used_bytes=550, limit_bytes=2000)


def test_without_a_limit_memory_is_that_of_the_machine(machine: Path, tmp_path: Path) -> None:
    of_machine = Memory(used_bytes=600 * 1024, limit_bytes=1000 * 1024)
    assert memory(machine, tmp_path / "none") == of_machine
    group(tmp_path / "cgroup/shop", "max")
    assert memory(machine, tmp_path / "cgroup") == of_machine


def test_a_system_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert memory(tmp_path, tmp_path) is None
    assert free_bytes(tmp_path / "nowhere") is None


def test_a_process_finds_its_memory_its_descriptors_and_room_on_a_disk(tmp_path: Path) -> None:
    resident, fds = resident_bytes(), open_fds()
    assert resident is None or resident > 1e6
    assert fds is None or fds >= 3
    assert free_bytes(tmp_path)


async def test_an_event_loop_that_was_blocked_is_seen() -> None:
    metrics = Metrics()
    pulse = asyncio.create_task(feel_pulse(metrics.process))
    async with asyncio.timeout(10):
        while (sample(metrics.render(), LAG) or 0.0) < 0.1:
            block()
            await asyncio.sleep(0.01)
    pulse.cancel()


def block() -> None:
    """What must never happen in an event loop."""
    time.sleep(0.4)


def test_the_worst_lag_is_shown_as_long_as_its_window_lasts() -> None:
    metrics = Metrics()
    shown = []
    for lag_s, now_s in ((0.5, 0.0), (0.1, 1.0), (0.2, 2.0), (0.0, LAG_WINDOW_S + 1.5)):
        metrics.process.lagged(lag_s, now_s)
        shown.append(sample(metrics.render(), LAG))
    assert shown == [0.5, 0.5, 0.5, 0.2]

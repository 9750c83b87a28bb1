"""The spare host: the next release need not wait for its start, and nobody notices its end."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.monitoring.processes import SupervisorMetrics
from service.processes.control import encode, find_control
from service.processes.family import Family
from service.processes.spare import Spare
from tests.journeys.running import until
from tests.processes import SOON_S, Crowd, Served, is_alive, kill, served

pytestmark = pytest.mark.redis


def the_spare(family: Served, *former: int) -> int:
    """Waits for one that was not there before."""
    until(lambda: bool(family.spares() - set(former)), SOON_S, "a spare host")
    (spare,) = family.spares() - set(former)
    return spare


def test_a_spare_host_loads_the_next_release_and_another_one_waits(family: Served) -> None:
    spare, release = the_spare(family), family.other
    family.load(release)
    assert spare in family.hosts()
    another = the_spare(family, spare)
    family.activate(release)
    family.settled()
    assert family.hosts() == {spare}
    assert family.spares() == {another}, "only one that was taken is replaced"
    family.rollback()
    assert another in family.hosts()


def test_a_spare_host_has_imported_all_and_runs_no_other_thread(family: Served) -> None:
    spare = the_spare(family)
    assert len(list(Path(f"/proc/{spare}/task").iterdir())) == 1
    loaded = Path(f"/proc/{spare}/maps").read_text()
    assert all(library in loaded for library in ("hnswlib", "onnxruntime", "pyarrow"))


def test_nobody_notices_the_end_of_a_spare_host_and_it_is_replaced(family: Served) -> None:
    spare, before = the_spare(family), family.processes()
    with Crowd(family.service.url) as crowd:
        kill(spare)
        the_spare(family, spare)
        crowd.asks_on()
    crowd.is_content()
    assert family.processes() == before


@pytest.fixture
def families() -> Iterator[list[Family]]:
    """Those that were started, the last one last."""
    begun: list[Family] = []
    yield begun
    for family in begun:
        family.kill()
        family.host_ended(os.waitstatus_to_exitcode(os.waitpid(family.host_pid, 0)[1]))


async def test_one_that_ends_again_and_again_is_started_ever_later(families: list[Family]) -> None:
    def start() -> Family:
        host = subprocess.Popen(["sleep", "60"])
        families.append(Family(len(families), host, SupervisorMetrics()))
        return families[-1]

    spare, is_missed = Spare(start), []
    for _ in range(3):
        spare.start(idle_s=0.0)
        assert not spare.is_missed
        spare.ended(families[-1], "ended with code 1")
        is_missed.append(spare.is_missed)
    assert is_missed == [True, False, False]


def test_sighup_starts_no_release_in_a_host_that_was_there_before(family: Served) -> None:
    before, live = {the_spare(family)} | family.processes(), family.live
    family.service.process.send_signal(signal.SIGHUP)
    until(lambda: not family.everybody() & before, SOON_S, "all are replaced")
    family.settled()
    assert family.live == live


def test_a_service_that_is_told_to_end_while_a_spare_host_starts_leaves_nothing(
    store: Path, tmp_path: Path
) -> None:
    with served(store, tmp_path) as family:
        until(
            lambda: bool(family.everybody() - family.processes()),
            SOON_S,
            "a spare host that starts",
        )
        everybody = family.everybody()
        family.service.process.send_signal(signal.SIGTERM)
        assert family.service.process.wait(SOON_S) == 0
        assert not [process for process in everybody if is_alive(process)]
        assert not [line for line in family.service.log().splitlines() if "spare" in line]
        assert "Traceback" not in family.service.log()


@pytest.mark.parametrize(("setting", "value"), [("SPARE_HOST", "false"), ("MEMORY_MB", "400")])
def test_there_is_none_where_it_is_not_wanted_or_has_no_room(
    store: Path, tmp_path: Path, setting: str, value: str
) -> None:
    with served(store, tmp_path, **{f"SIGHTLINE_PROCESSES__{setting}": value}) as family:
        workers = family.workers()
        kill(*workers)  # until they are replaced a spare host would have been started
        until(lambda: len(family.workers() - workers) == 2, SOON_S, "other workers")
        assert family.everybody() == family.processes()


def test_a_host_of_a_supervisor_that_is_gone_is_not_taken_for_ours(family: Served) -> None:
    for number in range(1, 50):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(find_control(family.folder / "var")))
            stranger.sendall(encode({"tell": "hello", "role": "host", "family": number, "pid": 1}))
            assert stranger.recv(1) == b""
    assert family.activate(family.other).name == family.live

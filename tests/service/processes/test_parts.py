"""The small parts of the processes, each for itself."""

import os
from pathlib import Path

import pytest

from service.domain.releases import HistoryEntry, ReleasesOverview, ReleaseState, ReleaseStatus
from service.errors import Busy, NotReady, ReleaseRefused, ServiceError
from service.processes.backoff import FIRST_S, LONGEST_S, STABLE_S, Backoff
from service.processes.control import (
    ControlClient,
    decode,
    decode_overview,
    encode,
    encode_error,
    encode_overview,
    find_control,
    raise_error,
)
from service.processes.meeting import SOCKET, meeting_folder
from service.processes.memory import MIB, check_memory, proportional_bytes
from service.processes.priority import cores, idle, normal
from service.processes.register import Register, Wish
from service.releases.history import History

NOBODY = 65_534
LIVE = ReleaseStatus("b", ReleaseState.LIVE, facts={"items": 3})


def test_what_ends_once_is_started_again_at_once() -> None:
    pauses = Backoff()
    pauses.ended(lived_s=1.0, now_s=100.0)
    assert pauses.wait_s(100.0) == 0.0


def test_what_ends_again_and_again_is_started_ever_later() -> None:
    pauses, waits = Backoff(), []
    for _ in range(12):
        pauses.ended(lived_s=0.1, now_s=0.0)
        waits.append(pauses.wait_s(0.0))
    assert waits[:4] == [0.0, FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LONGEST_S
    pauses.ended(lived_s=STABLE_S, now_s=0.0)
    assert pauses.wait_s(0.0) == 0.0


def test_an_overview_survives_the_wire() -> None:
    entry = HistoryEntry(1.5, "b", "activate", "cli:ann", "live", "known loss")
    refused = ReleaseStatus("a", ReleaseState.REFUSED, "checksum", "it was cut")
    overview = ReleasesOverview("b", (refused, LIVE), (entry,))
    assert decode_overview(decode(encode(encode_overview(overview)))) == overview


@pytest.mark.parametrize(
    "error", [ReleaseRefused("recall", "too low"), Busy("busy"), ServiceError("what?")]
)
def test_an_error_is_the_same_at_the_other_end(error: ServiceError) -> None:
    with pytest.raises(type(error), match=str(error)) as raised:
        raise_error(encode_error(error))
    assert getattr(raised.value, "reason", "") == getattr(error, "reason", "")


@pytest.mark.parametrize("line", [b"\n", b"[1]\n", b"{\n"])
def test_a_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ServiceError):
        decode(line)


async def test_a_supervisor_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=str(tmp_path)):
        await ControlClient(tmp_path / SOCKET).overview()


def test_processes_meet_in_a_folder_that_only_this_user_can_enter(tmp_path: Path) -> None:
    with meeting_folder(tmp_path / "var") as folder:
        assert folder == tmp_path / "var" / "run"
        assert folder.stat().st_mode & 0o077 == 0
        assert find_control(tmp_path / "var") == folder / SOCKET


def test_a_second_service_meets_elsewhere_and_is_not_found(tmp_path: Path) -> None:
    with meeting_folder(tmp_path) as first, meeting_folder(tmp_path) as second:
        assert first != second
        assert find_control(tmp_path) == first / SOCKET
    assert not second.exists()


def test_a_folder_whose_path_is_too_long_for_a_socket_points_to_another(tmp_path: Path) -> None:
    var_dir = tmp_path / ("x" * 120)
    with meeting_folder(var_dir) as folder:
        assert folder != var_dir / "run"
        assert find_control(var_dir) == folder / SOCKET


def test_a_release_has_to_fit_beside_the_live_one() -> None:
    mine = [os.getpid()]
    limit_mb = (proportional_bytes(os.getpid()) + 600 * MIB) // MIB
    check_memory(1, mine, 2 * limit_mb)
    with pytest.raises(ReleaseRefused) as refused:
        check_memory(400 * MIB, mine, limit_mb)
    assert refused.value.reason == "memory"


def test_a_process_gives_way_and_gets_its_share_again() -> None:
    idle(os.getpid())
    try:
        assert os.sched_getscheduler(0) in {os.SCHED_IDLE, os.SCHED_BATCH}
    finally:
        normal(os.getpid())
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_without_privilege_too_a_process_gets_its_share_again() -> None:
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        idle(0)
        gave_way = os.sched_getscheduler(0) == os.SCHED_BATCH
        normal(0)
        os._exit(0 if gave_way and os.sched_getscheduler(0) == os.SCHED_OTHER else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_there_is_at_least_one_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_what_was_live_before_is_known_after_a_restart(tmp_path: Path) -> None:
    register = Register(History(tmp_path / "history"))
    register.live(Wish("start", "a", "start"), {}, None)
    register.live(Wish("activate", "b", "cli"), {}, "a")
    register.refused(Wish("activate", "c", "cli"), ReleaseRefused("recall", "too low"), "b")
    states = [(status.name, status.state) for status in register.overview().releases]
    assert states == [
        ("a", ReleaseState.PREVIOUS),
        ("b", ReleaseState.LIVE),
        ("c", ReleaseState.REFUSED),
    ]
    again = Register(History(tmp_path / "history"))
    assert (again.live_before("b"), again.live_before("a")) == ("a", "b")


def test_a_refusal_of_the_live_release_leaves_it_live(tmp_path: Path) -> None:
    register = Register(History(tmp_path / "history"))
    register.live(Wish("start", "a", "start"), {}, None)
    register.refused(Wish("reload", "a", "signal"), ReleaseRefused("crash", "died"), "a")
    assert register.status("a").state is ReleaseState.LIVE

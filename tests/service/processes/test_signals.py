"""Signals, and what happens when nobody asks for anything."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.journeys.running import Running, running, until
from tests.processes import QUICK, SOON_S, A, B, Served, is_alive, kill, point, served

pytestmark = pytest.mark.redis


def ended(service: Running, number: signal.Signals) -> int:
    service.process.send_signal(number)
    return service.process.wait(SOON_S)


def test_sighup_replaces_all_processes_by_those_of_current(family: Served, store: Path) -> None:
    before, other = family.processes(), family.other
    point(store, other)
    family.service.process.send_signal(signal.SIGHUP)
    until(lambda: family.live == other, SOON_S, "CURRENT is live")
    family.settled()
    assert not family.processes() & before
    entry = family.overview().history[0]
    assert (entry.action, entry.by, entry.outcome) == ("reload", "signal", "live")


def test_a_sighup_that_finds_no_release_changes_nothing(family: Served, store: Path) -> None:
    before, live = family.processes(), family.live
    point(store, "20990101-000000")
    family.service.process.send_signal(signal.SIGHUP)
    until(lambda: family.overview().history[0].outcome == "refused", SOON_S, "a refusal")
    assert family.processes() == before
    point(store, live)


def test_a_worker_ignores_signals_that_are_not_for_it(family: Served) -> None:
    worker = min(family.workers())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        kill(worker, number=number)
    assert family.service.http.get("/readyz").is_success
    assert worker in family.workers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_told_to_end_leaves_nothing(
    store: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with served(store, tmp_path, SIGHTLINE_PROCESSES__WORKERS="1") as one:
        assert len(one.workers()) == 1
        until(lambda: len(one.spares()) == 1, SOON_S, "a spare host")
        processes = one.everybody()
        assert ended(one.service, number) == 0
        assert not [process for process in processes if is_alive(process)]
        assert [path.name for path in (tmp_path / "var" / "run").iterdir()] == ["lock"]


def test_one_that_is_told_to_end_while_it_starts_does(store: Path, tmp_path: Path) -> None:
    with running(store, tmp_path, is_awaited=False, **QUICK) as service:
        whole = Served(service, tmp_path)
        until(lambda: bool(whole.hosts()), SOON_S, "a host that loads")
        processes = whole.everybody()
        assert ended(service, signal.SIGTERM) == 0
        assert not [process for process in processes if is_alive(process)]


def test_a_pinned_replica_serves_its_release_whatever_current_says(
    store: Path, tmp_path: Path
) -> None:
    point(store, A)
    pinned = {"SIGHTLINE_RELEASES__NAME": B, "SIGHTLINE_RELEASES__FOLLOW_S": "0.1"}
    with served(store, tmp_path, **pinned) as canary:
        before = canary.workers()
        canary.service.process.send_signal(signal.SIGHUP)
        until(lambda: not canary.workers() & before, SOON_S, "other workers")
        assert canary.live == B
        assert {entry.release for entry in canary.overview().history} == {B}
        point(store, B)
        canary.activate(A)
        assert (store / "CURRENT").read_text().strip() == B, "it speaks only for itself"


def test_a_follower_makes_live_what_current_names(store: Path, tmp_path: Path) -> None:
    point(store, A)
    with served(store, tmp_path, SIGHTLINE_RELEASES__FOLLOW_S="0.1") as follower:
        point(store, "20990101-000000")
        until(lambda: len(follower.overview().history) > 1, SOON_S, "a refusal")
        assert follower.live == A
        point(store, B)
        until(lambda: follower.live == B, SOON_S, "CURRENT is live")
        entry = follower.overview().history[0]
        assert (entry.action, entry.by, entry.outcome) == ("follow", "CURRENT", "live")


def test_a_service_whose_current_is_refused_starts_with_the_one_before(
    store: Path, tmp_path: Path
) -> None:
    point(store, A)
    with served(store, tmp_path) as first:
        until(lambda: first.overview().live == A, SOON_S, "it is written down")
    point(store, "20990101-000000")
    with served(store, tmp_path) as again:
        assert again.live == A
        assert [entry.by for entry in again.overview().history[:2]] == ["fallback", "start"]
    point(store, A)


def test_one_process_alone_answers_too(store: Path, tmp_path: Path) -> None:
    point(store, A)
    with running(store, tmp_path, SIGHTLINE_PROCESSES__WORKERS="0") as alone:
        assert Served(alone, tmp_path).everybody() == set()
        assert alone.recommend(k=5)["count"] == 5
        assert alone.http.get("/v1/releases").json()["live"] == A
        assert ended(alone, signal.SIGTERM) == 0


def test_a_service_whose_terminal_is_closed_ends(store: Path, tmp_path: Path) -> None:
    point(store, A)
    mine, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", "0", "--store", str(store)],
        env={**os.environ, **QUICK, "SIGHTLINE_REDIS__VAR_DIR": str(tmp_path)},
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  one system call
    )
    os.close(its)
    assert process.stdout is not None
    assert b"Sightline serves" in process.stdout.readline()
    os.close(mine)
    process.communicate(timeout=SOON_S)
    assert process.returncode == 0

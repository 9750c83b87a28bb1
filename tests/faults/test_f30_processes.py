"""F30, F31, F50 to F54: what callers notice while processes change, die, hang, or do not fit."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.errors import ReleaseRefused
from tests.journeys.running import until
from tests.processes import SOON_S, Crowd, Served, is_alive, kill, served

pytestmark = pytest.mark.redis
SWITCHES = 2
KILLS = 6
REPLACED_WITHIN_S = 10.0
"""0.5 s and a start, on a machine that does other things too."""


@pytest.fixture
def crowd(family: Served) -> Iterator[Crowd]:
    with Crowd(family.service.url) as crowd:
        yield crowd


def test_f30_nobody_notices_that_releases_switch(family: Served, crowd: Crowd) -> None:
    for _ in range(SWITCHES):
        release = family.other
        family.activate(release)
        family.settled()
        before = crowd.releases.copy()
        crowd.asks_on()
        assert set(crowd.releases - before) == {release}
    crowd.is_content()
    assert len(crowd.releases) == 2


def test_f31_nobody_notices_that_all_processes_are_replaced(family: Served, crowd: Crowd) -> None:
    before = family.processes()
    family.service.process.send_signal(signal.SIGHUP)
    until(lambda: not family.processes() & before, SOON_S, "all are replaced")
    crowd.asks_on()
    crowd.is_content()
    assert len(crowd.releases) == 1


def test_f51_a_killed_worker_costs_what_it_was_answering(family: Served, crowd: Crowd) -> None:
    before = family.workers()
    victim = min(before)
    kill(victim)
    until(lambda: len(family.workers() - {victim}) == 2, REPLACED_WITHIN_S, "it is replaced")
    assert family.workers() & before == before - {victim}
    errors = len(crowd.errors)
    assert errors <= crowd.n_clients
    crowd.asks_on()
    assert len(crowd.errors) == errors
    assert crowd.wrong == []


def test_f51_a_killed_host_costs_nothing(family: Served, crowd: Crowd) -> None:
    before = family.processes()
    kill(*family.hosts())
    until(lambda: not family.processes() & before, SOON_S, "its workers leave")
    family.settled()
    crowd.asks_on()
    crowd.is_content()


def test_f51_callers_wait_while_every_process_of_the_release_is_gone(family: Served) -> None:
    kill(*family.processes())
    assert httpx.get(f"{family.service.url}/readyz", timeout=SOON_S).is_success
    family.settled()


def test_f52_it_converges_whatever_is_killed(family: Served) -> None:
    choose = random.Random(52)
    with Crowd(family.service.url) as crowd:
        for _ in range(KILLS):
            crowd.asks_on(5)
            processes = sorted(family.everybody())
            kill(*choose.sample(processes, min(1, len(processes))))
            if choose.random() < 0.3:
                family.service.process.send_signal(signal.SIGHUP)
    assert crowd.wrong == []
    family.settled()
    with Crowd(family.service.url) as crowd:
        crowd.asks_on()
    crowd.is_content()


def test_f54_a_worker_that_hangs_is_not_killed(family: Served, crowd: Crowd) -> None:
    before = family.workers()
    hanging = min(before)
    kill(hanging, number=signal.SIGSTOP)
    try:
        time.sleep(6.0)  # what is tested is that nothing happens meanwhile
        assert is_alive(hanging)
    finally:
        kill(hanging, number=signal.SIGCONT)
    crowd.asks_on()
    crowd.is_content()
    assert family.workers() == before


def test_f50_sigterm_loses_nothing_that_was_asked(store: Path, tmp_path: Path) -> None:
    with served(store, tmp_path) as leaving, Crowd(leaving.service.url) as crowd:
        began_s = time.monotonic()
        leaving.service.process.send_signal(signal.SIGTERM)
        until(lambda: crowd.is_turned_away, SOON_S, "nobody is let in")
        assert leaving.service.process.wait(SOON_S) == 0
        assert time.monotonic() - began_s < 12.0
        crowd.is_content()


def test_f50_a_service_that_ends_says_so_before_it_stops_answering(
    store: Path, tmp_path: Path
) -> None:
    lingering = {"SIGHTLINE_PROCESSES__LINGER_S": "30"}
    with served(store, tmp_path, **lingering) as leaving:
        url = leaving.service.url
        leaving.service.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/readyz").status_code == 503, SOON_S, "not ready")
        answer = leaving.service.http.get("/v1/recommend/ann", params={"k": 5})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        leaving.service.process.send_signal(signal.SIGINT)  # whoever insists need not wait
        assert leaving.service.process.wait(SOON_S) == 0


def test_f52_a_killed_supervisor_leaves_no_process(store: Path, tmp_path: Path) -> None:
    with served(store, tmp_path) as orphaned:
        until(lambda: len(orphaned.spares()) == 1, SOON_S, "a spare host")
        processes = orphaned.everybody()
        assert len(processes) == 4
        kill(orphaned.supervisor)
        orphaned.service.process.wait(SOON_S)
        until(lambda: not any(map(is_alive, processes)), SOON_S, "nobody is left")


def test_f53_a_release_that_does_not_fit_into_memory_is_refused(
    store: Path, tmp_path: Path
) -> None:
    with served(store, tmp_path, SIGHTLINE_PROCESSES__MEMORY_MB="400") as small:
        before, live = small.processes(), small.live
        with pytest.raises(ReleaseRefused) as refused:
            small.activate(small.other)
        assert refused.value.reason == "memory"
        assert (small.processes(), small.live) == (before, live)

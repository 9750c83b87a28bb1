"""What an operator asks of releases, while the service runs."""

import asyncio
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from service.domain.releases import ReleaseState
from service.errors import Busy, NotReady, ReleaseRefused, SetupInvalid
from service.processes.control import find_control
from tests.journeys.running import running, until
from tests.processes import BY, QUICK, SOON_S, A, B, Served, kill, point, served
from tests.releases import make_release

pytestmark = pytest.mark.redis
BROKEN = "20231116-000000"


@pytest.fixture(scope="session")
def broken(store: Path) -> str:
    """A third release of the store, whose index was cut."""
    current = (store / "CURRENT").read_text()
    folder = make_release(store, name=BROKEN, seed=3)
    (store / "CURRENT").write_text(current)
    index = (folder / "items.hnsw").read_bytes()
    (folder / "items.hnsw").write_bytes(index[:-1])
    return BROKEN


def test_workers_are_forked_from_a_host_that_runs_no_other_thread(family: Served) -> None:
    (host,) = family.hosts()
    assert len(list(Path(f"/proc/{host}/task").iterdir())) == 1
    assert len(family.workers()) == 2
    assert not [line for line in family.log() if "threads" in line["message"]]


def test_an_activated_release_is_live_in_every_worker_and_current(
    family: Served, store: Path
) -> None:
    before, former, new = family.workers(), family.live, family.other
    status = family.activate(new)
    assert (status.name, status.state, status.facts["items"]) == (new, ReleaseState.LIVE, 300)
    family.settled()
    assert not family.workers() & before
    assert (store / "CURRENT").read_text().strip() == new
    overview = family.overview()
    assert overview.live == new
    states = {status.name: status.state for status in overview.releases}
    assert (states[former], states[new]) == (ReleaseState.PREVIOUS, ReleaseState.LIVE)
    entry = overview.history[0]
    assert (entry.release, entry.action, entry.by, entry.outcome) == (new, "activate", BY, "live")


def test_a_loaded_release_waits_beside_the_live_one_and_takes_over_at_once(family: Served) -> None:
    before, former, new = family.processes(), family.live, family.other
    assert family.load(new).state is ReleaseState.STAGED
    staged = family.processes() - before
    assert len(staged) == 3
    assert family.live == former
    family.activate(new)
    family.settled()
    assert family.processes() == staged
    assert family.live == new


def test_a_rollback_makes_the_release_live_that_was_before(family: Served, store: Path) -> None:
    former = family.other  # every test before has switched
    assert family.rollback().name == former
    assert family.live == former
    assert (store / "CURRENT").read_text().strip() == former
    assert family.overview().history[0].action == "rollback"


def test_activating_the_live_release_changes_nothing(family: Served) -> None:
    before = family.processes()
    assert family.activate(family.live).state is ReleaseState.LIVE
    assert family.processes() == before


def test_a_refused_release_is_remembered_and_the_live_one_goes_on(
    family: Served, broken: str
) -> None:
    before, live = family.processes(), family.live
    with pytest.raises(ReleaseRefused) as refused:
        family.activate(broken)
    assert refused.value.reason == "checksum"
    assert family.live == live
    assert family.processes() == before
    overview = family.overview()
    status = next(status for status in overview.releases if status.name == broken)
    assert (status.state, status.reason) == (ReleaseState.REFUSED, "checksum")
    assert (overview.history[0].outcome, overview.history[0].reason) == ("refused", "checksum")


@pytest.mark.parametrize("name", ["../../etc", "20990101-000000", "x" * 5000])
def test_what_is_no_release_of_the_store_is_refused(family: Served, name: str) -> None:
    live = family.live
    with pytest.raises(ReleaseRefused) as refused:
        family.activate(name)
    assert refused.value.reason in {"name", "missing"}
    assert family.live == live


def test_a_host_that_dies_while_it_loads_is_a_refusal(family: Served) -> None:
    before, live, other = family.processes(), family.live, family.other
    with ThreadPoolExecutor(1) as operator:
        activation = operator.submit(family.activate, other)
        until(lambda: bool(family.processes() - before), SOON_S, "a host")
        kill(*(family.processes() - before), number=signal.SIGSEGV)
        with pytest.raises(ReleaseRefused) as refused:
            activation.result()
    assert refused.value.reason == "crash"
    assert "SIGSEGV" in str(refused.value)
    assert family.live == live
    assert family.processes() == before


def test_whoever_asks_meanwhile_is_told_that_it_is_busy(family: Served) -> None:
    other = family.other

    async def both() -> list[object]:
        asked = [family.admin.activate(other, BY) for _ in range(2)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    outcomes = asyncio.run(both())
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) == 1
    assert family.live == other


def test_what_is_asked_for_during_the_start_waits_for_its_end(store: Path, tmp_path: Path) -> None:
    point(store, A)
    with running(store, tmp_path, is_awaited=False, **QUICK) as service:
        family = Served(service, tmp_path)
        until(lambda: _is_listening(family), SOON_S, "control socket")
        assert not family.workers()
        family.activate(B)
        assert family.live == B
        told = [(entry.action, entry.release) for entry in family.overview().history]
        assert told == [("activate", B), ("start", A)]


def _is_listening(family: Served) -> bool:
    with suppress(SetupInvalid, NotReady):
        return family.overview().live is None
    return False


def test_what_is_sold_out_stays_out_through_a_switch(family: Served) -> None:
    http = family.service.http
    popular = http.post("/v1/recommend", json={"k": 5}).json()["items"][0]["item_id"]
    assert http.patch(f"/v1/items/{popular}", json={"stock": 0}).is_success
    family.activate(family.other)
    for _ in range(8):
        answer = http.post("/v1/recommend", json={"k": 100}).json()
        assert popular not in [item["item_id"] for item in answer["items"]]
    assert http.patch(f"/v1/items/{popular}", json={"stock": 5}).is_success


def test_only_this_user_may_speak_to_the_supervisor(family: Served) -> None:
    control = find_control(family.folder / "var")
    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    assert stat.S_IMODE(control.parent.stat().st_mode) == 0o700


def test_nobody_is_found_where_no_service_runs(tmp_path: Path) -> None:
    with pytest.raises(SetupInvalid, match="no service runs"):
        find_control(tmp_path)


def test_a_family_whose_host_is_still_there_is_taken_again(store: Path, tmp_path: Path) -> None:
    slowly = {"SIGHTLINE_PROCESSES__DRAIN_IDLE_S": "4"}
    warm = {"SIGHTLINE_RELEASES__KEEP_PREVIOUS_WARM": "1"}
    (store / "CURRENT").write_text(A)
    with served(store, tmp_path, **slowly, **warm) as family:
        (host,) = family.hosts()
        before = family.workers()
        family.activate(B)
        assert before < family.workers(), "one waits for us on our connection"
        family.rollback()
        assert host in family.hosts(), "taken again while its workers were leaving"
        family.activate(B)
        until(lambda: len(family.workers()) == 2, SOON_S, "the former workers leave")
        family.rollback()
        assert host in family.hosts(), "taken again after its workers had left"
        assert family.live == A

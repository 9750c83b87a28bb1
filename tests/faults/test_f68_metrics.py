"""F67, F68: /metrics of a service of several processes, whatever becomes of them."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.running import until
from tests.processes import SOON_S, A, B, Served, kill, made_store, point, served
from tests.scrapes import sample, samples

pytestmark = pytest.mark.redis
ASKED = "retrieval_http_requests_total"
INFO = "retrieval_release_info"
RECOMMENDED = {"route": "/v1/recommend/{user_id}", "method": "GET", "code": "200"}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = made_store(tmp_path_factory.mktemp("releases"))
    point(store, A)
    with served(store, tmp_path_factory.mktemp("counted")) as family:
        yield family


def ask(family: Served, times: int) -> None:
    """Every time on a new connection, so that both workers answer some."""
    for _ in range(times):
        assert httpx.get(f"{family.service.url}/v1/recommend/ann").is_success


def scrape(family: Served) -> bytes:
    return httpx.get(f"{family.service.url}/metrics").content


def asked(family: Served) -> float:
    return sample(scrape(family), ASKED, **RECOMMENDED) or 0.0


def files(family: Served) -> list[Path]:
    return list((family.folder / "var/run/metrics").iterdir())


def test_f68_every_worker_shows_what_all_of_them_did(family: Served) -> None:
    before = asked(family)
    ask(family, 20)
    assert [asked(family) for _ in range(10)] == [before + 20] * 10
    until(lambda: workers(family, "ready") == 2, SOON_S, "the supervisor has counted")
    assert workers(family, "wanted") == 2
    assert releases(family) == {A: 1.0}


def workers(family: Served, state: str) -> float | None:
    return sample(scrape(family), "retrieval_workers", state=state)


def releases(family: Served) -> dict[str, float]:
    found = samples(scrape(family)).items()
    return {dict(labels)["release"]: n for (name, labels), n in found if name == INFO}


def test_f68_totals_outlive_workers_and_leave_no_files(family: Served) -> None:
    ask(family, 10)
    before, deaths = asked(family), died(family)
    for killed in range(1, 4):
        kill(min(family.workers()))
        until(lambda n=killed: died(family) == deaths + n, SOON_S, "its death is counted")
        family.settled()
    assert asked(family) == before
    assert len(files(family)) <= 4  # the supervisor, two workers, and one that began meanwhile


def died(family: Served) -> float:
    return sample(scrape(family), "retrieval_worker_deaths_total") or 0.0


def test_f68_totals_never_fall_while_a_family_is_replaced(family: Served) -> None:
    ask(family, 10)
    seen, before = asked(family), family.processes()
    family.service.process.send_signal(signal.SIGHUP)
    end_s = time.monotonic() + SOON_S
    while family.processes() & before:
        assert time.monotonic() < end_s
        now = asked(family)
        assert now >= seen
        seen = now
    assert asked(family) == seen
    family.settled()
    assert len(files(family)) <= 6


def test_f68_a_former_release_stays_visible_with_zero(family: Served) -> None:
    before = switches(family)
    family.activate(B)
    until(lambda: releases(family) == {A: 0.0, B: 1.0}, SOON_S, "only the new release is live")
    assert switches(family) == before + 1


def switches(family: Served) -> float:
    labels = {"outcome": "ok", "reason": "none"}
    return sample(scrape(family), "retrieval_release_swaps_total", **labels) or 0.0


def test_f67_callers_cannot_make_the_number_of_series_grow(family: Served) -> None:
    httpx.request("BREW", f"{family.service.url}/v1/coffee")
    before = set(samples(scrape(family)))
    for i in range(50):
        httpx.request(f"M{i}", f"{family.service.url}/v1/{i}")
        httpx.get(f"{family.service.url}/v1/releases/r{i}:load")
        httpx.get(f"{family.service.url}/v1/recommend/user-{i}")
    grown = {series for series in set(samples(scrape(family))) - before if series[0] != ASKED}
    assert not grown
    assert len(samples(scrape(family))) < 2000

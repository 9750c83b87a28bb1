"""Metrics of several processes: real ones, forked, that count, are killed and are replaced."""

import contextlib
import os
from pathlib import Path

import pytest

from service.monitoring.cells import Shape, open_cells
from service.monitoring.layout import OPEN_SERIES
from service.monitoring.metrics import Metrics
from service.monitoring.processes import SupervisorMetrics
from tests.factories import make_release
from tests.scrapes import Series, sample, samples
from tests.service.monitoring.forked import SHED, Service, Work, shed

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def test_any_process_shows_the_sum_over_all(service: Service) -> None:
    service.start(shed(3, waiting=5))
    service.start(shed(4, waiting=6))
    text = Metrics(service.folder).render()
    assert sample(text, SHED, reason="store") == 7
    assert sample(text, "retrieval_event_lag_seconds_count") == 7
    assert sample(text, "retrieval_event_lag_seconds_sum") == 49
    assert sample(text, "retrieval_event_lag_seconds_bucket", le="5.0") == 0
    assert sample(text, "retrieval_event_lag_seconds_bucket", le="15.0") == 7
    assert sample(text, "retrieval_events_waiting") == 11


def test_every_series_is_there_with_zero_before_anything_happens(service: Service) -> None:
    alone, one_of_many = samples(Metrics().render()), samples(Metrics(service.folder).render())
    assert alone.keys() == one_of_many.keys()
    assert one_of_many[SHED, frozenset({("reason", "store")})] == 0


def test_what_a_killed_process_counted_stays_and_what_it_was_does_not(service: Service) -> None:
    victim = service.start(shed(3, waiting=5))
    service.start(shed(4, waiting=6))
    victim.kill()
    text = Metrics(service.folder).render()
    assert sample(text, SHED, reason="store") == 7
    assert sample(text, "retrieval_event_lag_seconds_count") == 7
    assert sample(text, "retrieval_events_waiting") == 6


def test_a_new_process_goes_on_where_a_dead_one_left_off(service: Service) -> None:
    for _ in range(40):
        service.start(shed(2, waiting=1)).kill()
    service.start(shed(2, waiting=1))
    metrics = Metrics(service.folder)
    assert len(list(service.folder.iterdir())) == 2  # never more than lived at once
    text = metrics.render()
    assert sample(text, SHED, reason="store") == 82
    assert sample(text, "retrieval_events_waiting") == 1


def test_gauges_are_combined_as_they_are_declared(service: Service) -> None:
    def starts(as_of: int, state: str) -> Work:
        def work(metrics: Metrics) -> None:
            metrics.release_live(make_release(manifest={"as_of": as_of}))
            metrics.breaker(state)
            metrics.ready(state == "closed")

        return work

    service.start(starts(1_000, "closed"))
    service.start(starts(2_000, "open"))
    text = Metrics(service.folder).render()
    assert sample(text, "retrieval_item_embeddings_timestamp_seconds") == 1_000  # livemin
    assert sample(text, "retrieval_redis_breaker_state") == 2  # livemax
    assert sample(text, "retrieval_ready") == 1
    fds = sample(text, "retrieval_worker_open_fds")
    assert fds is not None
    assert fds > 0


def test_a_gauge_that_a_process_never_set_does_not_count_as_zero(service: Service) -> None:
    supervisor = SupervisorMetrics(service.folder)
    supervisor.worker_started()
    service.start(lambda m: m.release_live(make_release(manifest={"as_of": 1_000})))
    text = Metrics(service.folder).render()
    assert sample(text, "retrieval_item_embeddings_timestamp_seconds") == 1_000


def test_scrapes_of_several_processes_do_not_disturb_each_other(service: Service) -> None:
    service.start(shed(3, waiting=5)).kill()

    def scrape(metrics: Metrics) -> None:
        for _ in range(50):
            text = metrics.render()
            assert b'retrieval_requests_shed_total{reason="store"} 3.0\n' in text
            assert b"\nretrieval_events_waiting 0.0\n" in text

    scrapers = [service.begin(scrape) for _ in range(3)]
    assert [scraper.ready() for scraper in scrapers] == [True] * 3


def test_totals_never_fall_while_processes_die_and_are_replaced(service: Service) -> None:
    """Scrapes as fast as it can beside starts and kills; every series is looked at."""
    metrics = Metrics(service.folder)
    churn = os.fork()
    if not churn:
        with contextlib.suppress(BaseException):
            for _ in range(25):
                service.start(shed(20)).kill()
            os._exit(0)
        os._exit(1)
    seen: dict[Series, float] = {}
    status: int | None = None
    while status is None:
        ended, code = os.waitpid(churn, os.WNOHANG)
        status = code if ended else None
        now = sums(metrics.render())
        assert not {series for series, number in seen.items() if now[series] < number}
        seen = now
    assert status == 0
    assert seen[SHED, frozenset({("reason", "store")})] == 500


def sums(text: bytes) -> dict[Series, float]:
    endings = ("_total", "_sum", "_count", "_bucket")
    return {series: n for series, n in samples(text).items() if series[0].endswith(endings)}


def test_a_process_of_another_version_of_the_code_does_not_mix_in(service: Service) -> None:
    other = open_cells(service.folder, Shape("other", n_sums=2, n_gauges=1, n_texts=0))
    other.numbers[1] = 1e9
    service.start(shed(3))
    text = Metrics(service.folder).render()
    assert sample(text, SHED, reason="store") == 3


def test_the_release_that_went_is_shown_with_zero_by_the_supervisor(service: Service) -> None:
    supervisor = SupervisorMetrics(service.folder)
    supervisor.live("older", "tiny-0", {"next order": 0.3})
    supervisor.live("tiny", "tiny-1", {"next order": 0.2})
    supervisor.live("tiny", "tiny-1", {"next order": 0.2})  # its processes were replaced
    service.start(lambda metrics: metrics.release_live(make_release()))
    text = Metrics(service.folder).render()
    info = "retrieval_release_info"
    assert sample(text, info, release="tiny", embedding_version="tiny-1") == 1
    assert sample(text, info, release="older", embedding_version="tiny-0") == 0
    ratio = {"name": "retrieval_release_eval_ratio", "metric": "ndcg_10", "target": "next order"}
    assert sample(text, slot="current", **ratio) == 0.2
    assert sample(text, slot="previous", **ratio) == 0.3
    assert sample(text, slot="current", **{**ratio, "target": "new items"}) is None


def test_the_supervisor_counts_switches_and_workers(service: Service) -> None:
    supervisor = SupervisorMetrics(service.folder)
    supervisor.swapped("ok")
    supervisor.swapped("rejected", "checksum")
    supervisor.swapped("rejected", "never heard of")
    supervisor.phase("load", 0.2)
    supervisor.phase("coffee", 0.2)
    supervisor.worker_started()
    supervisor.workers(wanted=4, ready=3, draining=1)
    supervisor.process.look({"metrics": service.folder, "state": Path("/nowhere")})
    text = Metrics(service.folder).render()
    swaps, durations = "retrieval_release_swaps_total", "retrieval_release_swap_duration_seconds"
    assert sample(text, swaps, outcome="ok", reason="none") == 1
    assert sample(text, swaps, outcome="rejected", reason="checksum") == 1
    assert sample(text, swaps, outcome="rejected", reason="other") == 1
    assert sample(text, f"{durations}_count", phase="load") == 1
    assert sample(text, f"{durations}_count", phase="other") == 1
    assert sample(text, "retrieval_worker_starts_total") == 1
    assert sample(text, "retrieval_workers", state="ready") == 3
    free = sample(text, "retrieval_disk_free_bytes", mount="metrics")
    assert free is not None
    assert free > 0
    assert sample(text, "retrieval_disk_free_bytes", mount="state") is None


def test_one_process_shows_only_the_newest_names(service: Service) -> None:
    supervisor = SupervisorMetrics(service.folder)
    for i in range(3 * OPEN_SERIES + 1):
        supervisor.live(f"r{i}", 'a "quoted"\nversion \\ of ' + "length " * 99, {})
    found = [
        labels for name, labels in samples(Metrics(service.folder).render()) if "_info" in name
    ]
    releases = {dict(labels).get("release") for labels in found} - {None}
    assert releases == {f"r{i}" for i in range(2 * OPEN_SERIES, 3 * OPEN_SERIES)}

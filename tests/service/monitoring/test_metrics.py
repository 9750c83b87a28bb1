"""Metrics: what an answer leaves behind, closed label sets, and the reference page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.domain.candidates import Candidates
from service.domain.identity import LinkOutcome
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.searches import Route
from service.domain.sessions import Segment
from service.domain.sources import Source
from service.domain.traces import StageRecord, Trace
from service.monitoring.cells import private_cells
from service.monitoring.declarations import SPECS
from service.monitoring.exposition import render
from service.monitoring.families import Families
from service.monitoring.layout import lay_out
from service.monitoring.metrics import Metrics
from service.monitoring.reference import metrics_markdown
from service.monitoring.spec import (
    LINKS,
    OTHER,
    REDIS_OPS,
    REDIS_OUTCOMES,
    RULES,
    SEARCHES,
    SEGMENTS,
    Spec,
)
from service.stores.outcomes import OPERATIONS, OUTCOMES
from tests.factories import make_catalogue, make_release, sold_out
from tests.scrapes import sample, samples

DOCS = Path(__file__).parents[3] / "docs"
SAMPLES_MAX = 2000


def make_answer(rows: list[int], sources: list[Source], **changes: object) -> Recommendation:
    n = len(rows)
    items = Candidates(
        np.array(rows, dtype=np.int64),
        np.ones(n, dtype=np.float32),
        np.array(sources, dtype=np.uint8),
        np.full(n, np.nan, dtype=np.float32),
    )
    answer = Recommendation(
        recommendation_id="r",
        items=items,
        item_ids=tuple(f"i{row}" for row in rows),
        reasons=((),) * n,
        requested=n,
        segment=Segment.CASUAL,
        release="tiny",
        embedding_version="tiny-1",
        signal_actions=5,
        signal_age_s=42.0,
    )
    return replace(answer, **changes)  # type: ignore[arg-type]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return sample(metrics.render(), name, **labels) or 0.0


def test_a_list_leaves_its_segment_sources_rules_and_signal() -> None:
    metrics, release = Metrics(), make_release()
    trace = Trace("t", stages=[StageRecord("embed", 0.002), StageRecord("lookup", 0.5, "timeout")])
    trace.degrade("session")
    trace.remove("stock", 4)
    answer = make_answer([1, 2, 3, 4], [Source.AGAIN, Source.ANN, Source.ANN, Source.EXPLORATION])
    metrics.recommended(Request(user_id="ann"), trace, answer, release)

    labels = {"segment": "casual", "source": "again", "degraded": "session"}
    assert value(metrics, "retrieval_responses_total", **labels) == 1
    assert value(metrics, "retrieval_candidates_total", source="ann") == 2
    assert value(metrics, "retrieval_candidates_returned_sum") == 4
    assert value(metrics, "retrieval_filtered_items_total", rule="stock") == 4
    assert value(metrics, "retrieval_filtered_ratio_sum") == 0.5
    assert value(metrics, "retrieval_slots_total", kind="explore") == 1
    assert value(metrics, "retrieval_slots_total", kind="exploit") == 3
    assert value(metrics, "retrieval_feature_fill_ratio_sum", segment="casual") == 5 / 20
    assert value(metrics, "retrieval_feature_age_seconds_sum", group="session") == 42.0
    assert value(metrics, "retrieval_identity_total", result="resolved") == 1
    assert value(metrics, "retrieval_stage_duration_seconds_count", stage="embed") == 1
    errors = {"stage": "lookup", "reason": "timeout"}
    assert value(metrics, "retrieval_stage_errors_total", **errors) == 1
    assert value(metrics, "retrieval_category_top_share_ratio_sum") == 0.5


def test_an_empty_list_is_counted_as_such() -> None:
    metrics = Metrics()
    answer = make_answer([], [], segment=Segment.NEW, signal_actions=0, signal_age_s=None)
    metrics.recommended(Request(), Trace("t"), answer, make_release())
    assert value(metrics, "retrieval_empty_results_total", segment="new") == 1
    assert value(metrics, "retrieval_identity_total", result="none") == 1
    assert value(metrics, "retrieval_feature_age_seconds_count", group="session") == 0


def test_shown_items_that_must_not_be_shown_are_found() -> None:
    metrics = Metrics()
    blocked = np.arange(10) == 3
    release = make_release(make_catalogue(10, is_blocked=blocked))
    release.updates.apply(sold_out("i1"))
    metrics.listed(Trace("t"), make_answer([1, 2, 3], [Source.ANN] * 3), release)
    assert value(metrics, "retrieval_policy_violations_total", rule="stock") == 1
    assert value(metrics, "retrieval_policy_violations_total", rule="policy") == 1


def test_a_list_of_a_former_release_is_not_judged_by_the_live_catalogue() -> None:
    metrics = Metrics()
    answer = make_answer([400], [Source.ANN], release="former")
    metrics.listed(Trace("t"), answer, make_release())
    assert value(metrics, "retrieval_candidates_returned_count") == 1


def test_invalid_user_vectors_are_counted_by_reason() -> None:
    metrics = Metrics()
    trace = Trace("t", stages=[StageRecord("embed", 0.001, "nan")])
    metrics.listed(trace, make_answer([1], [Source.POPULAR]), make_release())
    assert value(metrics, "retrieval_user_embedding_invalid_total", reason="nan") == 1
    errors = {"stage": "embed", "reason": "invalid"}
    assert value(metrics, "retrieval_stage_errors_total", **errors) == 1


def test_an_index_that_finds_too_few_is_counted() -> None:
    metrics = Metrics()
    trace = Trace("t", stages=[StageRecord("retrieve", 0.001, "short")])
    metrics.listed(trace, make_answer([1], [Source.POPULAR]), make_release())
    assert value(metrics, "retrieval_ann_short_results_total") == 1


def test_most_items_of_one_seller_among_the_first_ten() -> None:
    metrics = Metrics()
    sellers = np.array([0, 0, 1, -1, -1, -1, 0, 1, 1, 0], dtype=np.int32)
    release = make_release(make_catalogue(10, sellers=sellers))
    metrics.listed(Trace("t"), make_answer(list(range(10)), [Source.ANN] * 10), release)
    assert value(metrics, "retrieval_seller_top10_items_sum") == 4


def test_unknown_label_values_become_other_and_never_new_series() -> None:
    metrics = Metrics()
    once = {"op": "other", "outcome": "other"}
    metrics.redis_operation("drop_all", "sideways", 0.001)
    before = metrics.render().count(b"\n")
    for i in range(1000):
        metrics.request_started()
        metrics.request_finished(f"/v1/{i}", f"M{i}", 600 + i, 0.001)
        metrics.redis_operation(f"op{i}", f"outcome{i}", 0.001)
        metrics.event(f"type{i}", "invalid")
        metrics.rejected(f"reason{i}")
    assert value(metrics, "retrieval_redis_operations_total", **once) == 1001
    unmatched = {"route": "__other__", "method": "_OTHER", "code": "other"}
    assert value(metrics, "retrieval_http_requests_total", **unmatched) == 1000
    assert metrics.render().count(b"\n") == before + 1  # the lazy combination above


def test_a_new_release_takes_over_and_former_ones_stay_at_zero() -> None:
    metrics = Metrics()
    manifest = {"as_of": "2026-01-31T00:00:00+00:00", "trained_through": 1_700_000_000}
    metrics.release_live(make_release(manifest=manifest))
    metrics.release_live(make_release(name="second", embedding_version="tiny-2"))
    info = "retrieval_release_info"
    assert value(metrics, info, release="tiny", embedding_version="tiny-1") == 0
    assert value(metrics, info, release="second", embedding_version="tiny-2") == 1
    assert value(metrics, "retrieval_item_embeddings_timestamp_seconds") == 1_769_817_600
    assert value(metrics, "retrieval_training_data_timestamp_seconds") == 1_700_000_000
    for i in range(40):
        metrics.release_live(make_release(name=f"r{i}"))
    assert metrics.render().count(b"retrieval_release_info{") <= 20


def test_the_breaker_is_shown_as_a_number_and_its_changes_are_counted() -> None:
    metrics = Metrics()
    metrics.breaker("open")
    assert value(metrics, "retrieval_redis_breaker_state") == 2
    assert value(metrics, "retrieval_redis_breaker_transitions_total", to="open") == 1


def test_a_scrape_parses_and_is_small_and_complete_from_the_start() -> None:
    families = list(text_string_to_metric_families(Metrics().render().decode()))
    assert sum(len(family.samples) for family in families) < SAMPLES_MAX
    found = {family.name.removesuffix("_total") for family in families}
    assert found == {spec.name.removesuffix("_total") for spec in SPECS}
    assert all(spec.labels or spec.is_lazy or spec.meaning for spec in SPECS)


def test_memory_and_descriptors_are_measured_at_the_scrape() -> None:
    metrics = Metrics()
    metrics.render()
    assert value(metrics, "retrieval_worker_resident_memory_bytes") > 1e6
    assert value(metrics, "retrieval_worker_open_fds") > 0


def test_words_of_the_stores_and_rules_are_in_the_closed_sets() -> None:
    assert {*OPERATIONS, OTHER} == set(REDIS_OPS)
    assert set(OUTCOMES) == set(REDIS_OUTCOMES)
    rules = Path(__file__).parents[3] / "service" / "rules"
    assert {path.stem for path in rules.glob("[a-z]*.py")} < set(RULES)
    assert tuple(Segment) == SEGMENTS
    assert tuple(LinkOutcome) == LINKS
    assert tuple(Route) == SEARCHES


@pytest.mark.parametrize("amount", [-1.0, 0.0, 0.1, 0.15, 1.0, 7.0])
def test_a_histogram_counts_like_the_one_of_the_library(amount: float) -> None:
    registry = CollectorRegistry()
    Histogram("h", "h", buckets=(0.1, 1.0), registry=registry).observe(amount)
    layout = lay_out((Spec("histogram", "h", "h", "", buckets=(0.1, 1.0)),))
    cells = private_cells(layout.shape)
    Families(layout, cells).histogram("h").observe(amount)
    theirs = samples(generate_latest(registry))
    ours = samples(render(layout, [cells.content()]))
    assert ours == {series: n for series, n in theirs.items() if series[0] != "h_created"}


def test_the_metrics_page_is_up_to_date() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == metrics_markdown(), "run: sightline metrics > docs/metrics.md"

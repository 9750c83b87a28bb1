"""The one object through which the service counts; it alone speaks prometheus-client."""

import os
import platform
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from service.domain.identity import Person
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.monitoring.answer_metrics import ANSWERS
from service.monitoring.families import Families
from service.monitoring.item_metrics import ITEMS, ItemMetrics
from service.monitoring.lists import ListMetrics
from service.monitoring.serving_metrics import SERVING
from service.monitoring.spec import INVALID_VECTORS, METHODS, OTHER, STAGES, UNMATCHED
from service.ports.serving import Release

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SPECS = (*SERVING, *ANSWERS, *ITEMS)
RELEASES_REMEMBERED = 20
BREAKER_STATES: Mapping[str, int] = {"closed": 0, "half_open": 1, "open": 2}
_PROC = Path("/proc/self")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """All metrics of one process, in a registry of its own.

    Recording never raises for an unknown label value: it is counted as `other`.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # two samples a series that nobody reads
        self.registry = CollectorRegistry()
        families = Families(SPECS, self.registry)
        self._bind_requests(families)
        self._bind_stages(families)
        self._bind_redis(families)
        self._bind_signal(families)
        self._bind_release(families)
        self._bind_process(families)
        self._lists = ListMetrics(families)
        self.items = ItemMetrics(families)

    def render(self) -> bytes:
        """What a scrape gets, in Prometheus text format."""
        if _PROC.exists():
            resident = int((_PROC / "statm").read_text().split()[1]) * _PAGE_BYTES
            self._memory.set(resident)
            self._fds.set(len(os.listdir(_PROC / "fd")))
        return generate_latest(self.registry)

    # requests

    def _bind_requests(self, families: Families) -> None:
        self._requests = families.counters("retrieval_http_requests_total")
        self._durations = families.histograms("retrieval_http_request_duration_seconds")
        self._in_progress = families.gauge("retrieval_http_requests_in_progress")
        self._rejected = families.counters("retrieval_requests_rejected_total")
        self._shed = families.counters("retrieval_requests_shed_total")
        self._disconnects = families.counter("retrieval_client_disconnects_total")
        self._unhandled = families.counter("retrieval_unhandled_errors_total")
        self._ready = families.gauge("retrieval_ready")

    def request_started(self) -> None:
        self._in_progress.inc()

    def request_finished(self, route: str, method: str, status: int, duration_s: float) -> None:
        self._in_progress.dec()
        route = route if route in self._durations else UNMATCHED
        method = method if method in METHODS else "_OTHER"
        self._requests[(route, method, str(status))].inc()
        self._durations[route].observe(duration_s)

    def request_unlisted(self) -> None:
        """A request that is not counted by route: probes, documentation, scrapes."""
        self._in_progress.dec()

    def rejected(self, reason: str) -> None:
        self._rejected[(reason,)].inc()

    def shed(self, reason: str) -> None:
        self._shed[(reason,)].inc()

    def disconnected(self) -> None:
        self._disconnects.inc()

    def unhandled(self) -> None:
        self._unhandled.inc()

    def ready(self, is_ready: bool) -> None:
        self._ready.set(is_ready)

    # answers

    def _bind_stages(self, families: Families) -> None:
        self._stages = families.histograms("retrieval_stage_duration_seconds")
        self._stage_errors = families.counters("retrieval_stage_errors_total")
        self._invalid = families.counters("retrieval_user_embedding_invalid_total")

    def _bind_signal(self, families: Families) -> None:
        self._lines_dropped = families.counter("retrieval_log_dropped_total")
        self._age = families.histograms("retrieval_feature_age_seconds")["session"]
        self._fill = families.histograms("retrieval_feature_fill_ratio")
        self._identity = families.counters("retrieval_identity_total")
        self._identity_ids = families.histogram("retrieval_identity_ids")
        self._fragmented = families.counter("retrieval_identity_fragmented_total")
        self._links = families.counters("retrieval_identity_links_total")
        self._waiting = families.gauge("retrieval_events_waiting")
        self._events = families.counters("retrieval_events_total")
        self._event_lag = families.histogram("retrieval_event_lag_seconds")

    def recommended(
        self, request: Request, trace: Trace, answer: Recommendation, release: Release
    ) -> None:
        """Counts a list made for a person."""
        self.listed(trace, answer, release)
        self._lists.response(trace, answer)
        self._fill[answer.segment].observe(answer.signal_actions / release.history_length)
        if answer.signal_age_s is not None:
            self._age.observe(answer.signal_age_s)
        self._identified(request, trace.person)

    def _identified(self, request: Request, person: Person) -> None:
        self._identity[(_identity(request, person),)].inc()
        if person.ids:
            self._identity_ids.observe(len(person.ids))
        if person.unread:
            self._fragmented.inc()

    def link(self, outcome: str) -> None:
        self._links[(outcome,)].inc()

    def events_waiting(self, n: int) -> None:
        self._waiting.set(n)

    def listed(self, trace: Trace, answer: Recommendation, release: Release) -> None:
        """Counts stages and items of any list."""
        stages = self._stages
        for record in trace.stages:
            if record.name in stages:
                stages[record.name].observe(record.duration_s)
            if record.error is not None:
                self._stage_error(record.name, record.error)
        self._lists.items(trace, answer)
        if answer.release == release.name:  # else a new release went live meanwhile
            self._lists.contents(answer.items.rows, release)

    def _stage_error(self, stage: str, outcome: str) -> None:
        if stage in STAGES:
            self._stage_errors[(stage, _reason(outcome))].inc()
        if stage == "embed" and outcome in INVALID_VECTORS:
            self._invalid[(outcome,)].inc()

    def event(self, event_type: str, outcome: str, n: int = 1) -> None:
        self._events[(event_type, outcome)].inc(n)

    def lines_dropped(self, n: int) -> None:
        self._lines_dropped.inc(n)

    def event_lag(self, lag_s: float) -> None:
        self._event_lag.observe(max(0.0, lag_s))

    # Redis

    def _bind_redis(self, families: Families) -> None:
        self._redis = families.counters("retrieval_redis_operations_total")
        self._redis_durations = families.histograms("retrieval_redis_operation_duration_seconds")
        self._breaker = families.gauge("retrieval_redis_breaker_state")
        self._breaker_changes = families.counters("retrieval_redis_breaker_transitions_total")

    def redis_operation(self, op: str, outcome: str, duration_s: float) -> None:
        self._redis[(op, outcome)].inc()
        self._redis_durations[op if op in self._redis_durations else OTHER].observe(duration_s)

    def breaker(self, state: str) -> None:
        """The breaker changed to `closed`, `half_open` or `open`."""
        self._breaker.set(BREAKER_STATES[state])
        self._breaker_changes[(state,)].inc()

    # release and process

    def _bind_release(self, families: Families) -> None:
        self._info = families.gauge("retrieval_release_info")
        self._items_at = families.gauge("retrieval_item_embeddings_timestamp_seconds")
        self._trained_at = families.gauge("retrieval_training_data_timestamp_seconds")
        self._loaded_at = families.gauge("retrieval_release_loaded_timestamp_seconds")
        self._swaps = families.counters("retrieval_release_swaps_total")
        self._former: list[tuple[str, str]] = []

    def release_live(self, release: Release) -> None:
        """A release went live; call it once for each that does."""
        labels = (release.name, release.embedding_version)
        for former in self._former:
            self._info.labels(*former).set(0)
        self._info.labels(*labels).set(1)
        self._former = [*(name for name in self._former if name != labels), labels]
        while len(self._former) > RELEASES_REMEMBERED:
            self._info.remove(*self._former.pop(0))
        self._swaps[("ok", "none")].inc()
        self._loaded_at.set(time.time())
        self.items.items_of_release(release.catalogue.n_built)
        for gauge, name in ((self._items_at, "as_of"), (self._trained_at, "trained_through")):
            instant = _epoch_s(release.manifest.get(name))
            if instant is not None:
                gauge.set(instant)

    def release_refused(self, reason: str) -> None:
        self._swaps[("rejected", reason)].inc()

    def _bind_process(self, families: Families) -> None:
        self._memory = families.gauge("retrieval_worker_resident_memory_bytes")
        self._fds = families.gauge("retrieval_worker_open_fds")
        build = families.gauge("retrieval_build_info")
        packages = [package_version(name) for name in ("sightline", "hnswlib", "onnxruntime")]
        build.labels(packages[0], platform.python_version(), *packages[1:]).set(1)


def _reason(outcome: str) -> str:
    """The closed word for what a stage reported."""
    if outcome in INVALID_VECTORS:
        return "invalid"
    return outcome if outcome in ("timeout", "exception") else "unavailable"


def _identity(request: Request, person: Person) -> str:
    if request.user_id is not None or person.is_account:
        return "resolved"
    return "none" if request.anonymous_id is None else "anonymous"


def _epoch_s(instant: object) -> float | None:
    """Epoch seconds of a manifest instant: a number, or ISO 8601 with an offset."""
    if isinstance(instant, int | float):
        return float(instant)
    try:
        return datetime.fromisoformat(str(instant)).timestamp()
    except ValueError:
        return None


def package_version(package: str) -> str:
    """The installed version; `unknown` for a package that runs from its sources."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"

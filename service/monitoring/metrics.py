"""The one object through which a process of the service counts."""

from collections.abc import Mapping
from pathlib import Path

from service.domain.identity import Person
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.monitoring.cells import open_cells, shared_contents
from service.monitoring.declarations import LAYOUT
from service.monitoring.exposition import render
from service.monitoring.families import Families
from service.monitoring.item_metrics import ItemMetrics
from service.monitoring.lists import ListMetrics
from service.monitoring.live import LiveRelease
from service.monitoring.operator_metrics import OperatorMetrics
from service.monitoring.process_metrics import ProcessMetrics
from service.monitoring.release_metrics import SwapMetrics
from service.monitoring.spec import INVALID_VECTORS, METHODS, STAGES, UNMATCHED
from service.ports.serving import Release

BREAKER_STATES: Mapping[str, int] = {"closed": 0, "half_open": 1, "open": 2}


class Metrics:
    """All metrics of one process; make it after the last fork.

    Recording never raises for an unknown label value: it is counted as `other`.

    Attributes:
        swaps: for a process that switches releases itself; a supervisor has its own.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Counts in the folder that `service.monitoring.processes.prepare` made, or by itself."""
        self._folder = folder
        self._cells = open_cells(folder, LAYOUT.shape)
        families = Families(LAYOUT, self._cells)
        self._bind_requests(families)
        self._bind_stages(families)
        self._bind_redis(families)
        self._bind_signal(families)
        self._lists = ListMetrics(families)
        self._live = LiveRelease(families)
        self.swaps = SwapMetrics(families)
        self.operator = OperatorMetrics(families)
        self.process = ProcessMetrics(families)
        self.items = ItemMetrics(families)

    def render(self) -> bytes:
        """What a scrape gets, in Prometheus text format: the sum over all processes."""
        return render(LAYOUT, self.contents())

    def contents(self) -> list[bytes]:
        """What all processes have counted up to now, for `service.monitoring.exposition`."""
        self.process.look()
        found = [] if self._folder is None else shared_contents(self._folder, LAYOUT.shape)
        return found or [self._cells.content()]

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
        self._short = families.counter("retrieval_ann_short_results_total")

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
        if stage == "retrieve" and outcome == "short":
            self._short.inc()

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
        self._redis_durations[op].observe(duration_s)

    def breaker(self, state: str) -> None:
        """The breaker changed to `closed`, `half_open` or `open`."""
        self._breaker.set(BREAKER_STATES[state])
        self._breaker_changes[(state,)].inc()

    # releases

    def release_live(self, release: Release) -> None:
        """This process answers from this release from now on."""
        self._live.set(release)

    def release_refused(self, reason: str) -> None:
        self.swaps.swapped("rejected", reason)


def _reason(outcome: str) -> str:
    """The closed word for what a stage reported."""
    if outcome in INVALID_VECTORS:
        return "invalid"
    return outcome if outcome in ("timeout", "exception") else "unavailable"


def _identity(request: Request, person: Person) -> str:
    if request.user_id is not None or person.is_account:
        return "resolved"
    return "none" if request.anonymous_id is None else "anonymous"

"""Metrics of releases: what is live, what became of the others, and who serves it."""

from service.errors import REASONS
from service.monitoring.families import Families
from service.monitoring.spec import OPEN, OTHER, PHASES, SWAP_BUCKETS, Spec

TARGETS = ("new items", "next order")
"""What the towers are measured by; see docs/evaluation.md."""

RELEASES: tuple[Spec, ...] = (
    Spec(
        "gauge",
        "retrieval_release_info",
        "1 for the live release, 0 for former ones.",
        "Two with 1 for long: a switch hangs; `sightline release list` shows where.",
        {"release": OPEN, "embedding_version": OPEN},
    ),
    Spec(
        "gauge",
        "retrieval_item_embeddings_timestamp_seconds",
        "Instant up to which item vectors know the world.",
        "Older than a day: run models refresh.",
        is_lazy=True,
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_training_data_timestamp_seconds",
        "Newest event that the towers were trained on.",
        "Old: train again.",
        is_lazy=True,
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_release_loaded_timestamp_seconds",
        "When the live release went live.",
        "Compare with the publication time.",
        is_lazy=True,
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_index_items",
        "Items of the live release, and those that arrived on top of it.",
        "A fall of live from one release to the next: part of the catalogue is missing. arrived "
        "near 10,000: publish a release that contains them.",
        {"state": ("live", "arrived")},
        is_lazy=True,
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_release_eval_ratio",
        "Offline quality of the live release and of the one before, from their manifests.",
        "current below previous: somebody forced the gate; `sightline release history` says why.",
        {"metric": ("ndcg_10",), "target": TARGETS, "slot": ("current", "previous")},
        is_lazy=True,
    ),
    Spec(
        "counter",
        "retrieval_release_swaps_total",
        "Releases that went live (ok), were refused with the reason, or were rolled back to.",
        "rejected: `sightline release verify PATH` says why.",
        {"outcome": ("ok", "rejected", "rolled_back"), "reason": ("none", *REASONS, OTHER)},
    ),
    Spec(
        "histogram",
        "retrieval_release_swap_duration_seconds",
        "Time of a switch by phase: fetch, load (and verify), warm, flip, drain.",
        "fetch and load grow with the release; flip and drain must not.",
        {"phase": PHASES},
        SWAP_BUCKETS,
    ),
    Spec(
        "counter",
        "retrieval_worker_starts_total",
        "Workers that became ready, those of new releases and those that replace a dead one.",
        "As many as workers at every switch; more: see worker_deaths.",
    ),
    Spec(
        "counter",
        "retrieval_worker_deaths_total",
        "Workers of the live release that ended though nobody told them to.",
        "Any: the log has the signal. SIGKILL: memory ran out. SIGSEGV: roll back.",
    ),
    Spec(
        "gauge",
        "retrieval_workers",
        "Workers by state: wanted as set, ready to answer, draining before they end.",
        "ready below wanted: a worker died or does not start; read the log.",
        {"state": ("wanted", "ready", "draining")},
        is_lazy=True,
        mode="livesum",
    ),
)


class SwapMetrics:
    """What the process that switches releases says of it: the supervisor, or the only one."""

    def __init__(self, families: Families) -> None:
        self._swaps = families.counters("retrieval_release_swaps_total")
        self._durations = families.histograms("retrieval_release_swap_duration_seconds")
        self._starts = families.counter("retrieval_worker_starts_total")
        self._deaths = families.counter("retrieval_worker_deaths_total")
        self._workers = families.gauges("retrieval_workers")

    def swapped(self, outcome: str, reason: str = "none") -> None:
        """A release went live ("ok"), was rolled back to ("rolled_back"), or "rejected"."""
        self._swaps[(outcome, reason)].inc()

    def phase(self, name: str, duration_s: float) -> None:
        """A phase of a switch has ended: fetch, load, warm, flip or drain."""
        self._durations[name].observe(duration_s)

    def worker_started(self) -> None:
        self._starts.inc()

    def worker_died(self) -> None:
        """Nobody had told it to end."""
        self._deaths.inc()

    def workers(self, wanted: int, ready: int, draining: int) -> None:
        """How many there are now."""
        for state, n in (("wanted", wanted), ("ready", ready), ("draining", draining)):
            self._workers[(state,)].set(n)

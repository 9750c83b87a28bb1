"""Metrics of what operators do to releases, and of how the live release stands up meanwhile."""

from service.monitoring.families import Families
from service.monitoring.spec import OTHER, Spec

OPERATOR: tuple[Spec, ...] = (
    Spec(
        "counter",
        "retrieval_auth_failures_total",
        "Calls that change releases and were not let in.",
        "wrong, many: somebody guesses. unset: set server.admin_token, or use the command.",
        {"scope": ("admin",), "reason": ("unset", "missing", "wrong")},
    ),
    Spec(
        "counter",
        "retrieval_admin_actions_total",
        "Calls over HTTP that changed releases, or tried to, by what came of them.",
        "refused: the answer and GET /v1/releases say why. failed: the log has the trace.",
        {
            "action": ("load", "activate", "rollback"),
            "outcome": ("done", "refused", "busy", "failed"),
        },
    ),
    Spec(
        "gauge",
        "retrieval_embedding_version_mismatch",
        "1 while tower, index and vectors of the live release do not fit each other.",
        "1: answers are plausible nonsense. Roll back at once, then look at the machine.",
    ),
    Spec(
        "counter",
        "retrieval_golden_probes_total",
        "Golden probes asked again of the live release, by what came of them.",
        "vector: the tower answers otherwise than when it was built. neighbours: the index does.",
        {"outcome": ("passed", "vector", "neighbours", OTHER)},
    ),
    Spec(
        "counter",
        "retrieval_shadow_requests_total",
        "Live requests that were drawn for staged releases.",
        "dropped: the staged release is slower than releases.shadow_share asks; lower it.",
        {"outcome": ("sent", "dropped")},
    ),
)


class OperatorMetrics:
    """Counts what `OPERATOR` declares."""

    def __init__(self, families: Families) -> None:
        self._failures = families.counters("retrieval_auth_failures_total")
        self._actions = families.counters("retrieval_admin_actions_total")
        self._mismatch = families.gauge("retrieval_embedding_version_mismatch")
        self._probes = families.counters("retrieval_golden_probes_total")
        self._shadow = families.counters("retrieval_shadow_requests_total")

    def auth_failed(self, reason: str) -> None:
        self._failures[("admin", reason)].inc()

    def action(self, action: str, outcome: str) -> None:
        self._actions[(action, outcome)].inc()

    def release_fits(self, fits: bool) -> None:
        """What the last round of golden probes and the handshake found."""
        self._mismatch.set(float(not fits))

    def probe(self, outcome: str) -> None:
        self._probes[(outcome,)].inc()

    def shadow(self, outcome: str) -> None:
        self._shadow[(outcome,)].inc()

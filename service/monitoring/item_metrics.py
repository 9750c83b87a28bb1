"""What is counted of item updates."""

from collections.abc import Sequence

from service.domain.items import Effect, ItemOutcome, Topic
from service.monitoring.families import Families
from service.monitoring.spec import Spec

LAG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 60.0)

ITEMS = (
    Spec(
        "counter",
        "retrieval_item_updates_total",
        "Things said of items, by what they did to the live release; what a process was told "
        "itself comes back to it from the log, and is then counted as unchanged.",
        "unknown rising: updates for items that nobody posted. no_vector, full: items that wait "
        "for the next release.",
        {"kind": tuple(Topic), "outcome": tuple(Effect)},
    ),
    Spec(
        "histogram",
        "retrieval_item_update_lag_seconds",
        "Time from the writing of an update to its being applied by this process.",
        "Above 1: what is sold out is still offered; look for a busy process or a slow Redis.",
        buckets=LAG_BUCKETS,
    ),
    Spec(
        "counter",
        "retrieval_item_fields_unreadable_total",
        "Fields in the store that nobody understands; stock then counts as sold out.",
        "Any: another producer writes something else than docs/redis.md says.",
    ),
    Spec(
        "gauge",
        "retrieval_items_without_vector",
        "Items that arrived, and are kept but not served: no vector fits the live release.",
        "Above 0: publish the item tower with the release, or send vectors of its embedding "
        "version.",
        mode="livemax",
    ),
)


class ItemMetrics:
    """Records for `service.items.Items`."""

    def __init__(self, families: Families) -> None:
        self._updates = families.counters("retrieval_item_updates_total")
        self._lag = families.histogram("retrieval_item_update_lag_seconds")
        self._unreadable = families.counter("retrieval_item_fields_unreadable_total")
        self._without_vector = families.gauge("retrieval_items_without_vector")
        self._arrived = families.gauges("retrieval_index_items")[("arrived",)]

    def item_updates(self, outcomes: Sequence[ItemOutcome]) -> None:
        """These were applied, or not, to the live release."""
        for outcome in outcomes:
            self._updates[outcome].inc()

    def item_lag(self, lag_s: float) -> None:
        """Time from the writing of an update to its being applied here."""
        self._lag.observe(max(0.0, lag_s))

    def items_unreadable(self, n: int) -> None:
        """Fields of foreign writers that nobody understands."""
        self._unreadable.inc(n)

    def items_arrived(self, n_served: int, n_without_vector: int) -> None:
        """Items on top of the live release, and those that wait for a vector."""
        self._arrived.set(n_served)
        self._without_vector.set(n_without_vector)

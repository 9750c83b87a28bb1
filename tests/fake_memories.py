"""Small memories for tests: pages shown, what rises, what was counted of items."""

from collections.abc import Mapping, Sequence

from service.domain.arrays import Hashes
from service.domain.items import ItemOutcome
from service.errors import StoreUnavailable


class FakePages:
    """`service.ports.stores.PageStore` in memory; `down` makes reading fail."""

    def __init__(self) -> None:
        self.shown: dict[str, Hashes] = {}
        self.down = False

    def remember(self, recommendation_id: str, shown: Hashes) -> None:
        self.shown[recommendation_id] = shown

    async def read(self, recommendation_id: str, timeout_s: float) -> Hashes | None:
        if self.down:
            raise StoreUnavailable("refused")
        return self.shown.get(recommendation_id)


class FakeTrends:
    """`service.ports.stores.TrendStore` in memory."""

    def __init__(self) -> None:
        self.hours: dict[int, dict[str, float]] = {}
        self.n_reads = 0

    async def add(self, hour: int, weights: Mapping[str, float]) -> None:
        kept = self.hours.setdefault(hour, {})
        for name, weight in weights.items():
            kept[name] = kept.get(name, 0.0) + weight

    async def read(self, hour: int) -> Mapping[str, float]:
        self.n_reads += 1
        return dict(self.hours.get(hour, {}))


class CountedItems:
    """`service.items.ItemMetrics` that remembers."""

    def __init__(self) -> None:
        self.outcomes: list[ItemOutcome] = []
        self.lags: list[float] = []
        self.unreadable = 0
        self.arrived = (0, 0)

    def item_updates(self, outcomes: Sequence[ItemOutcome]) -> None:
        self.outcomes += outcomes

    def item_lag(self, lag_s: float) -> None:
        self.lags.append(lag_s)

    def items_unreadable(self, n: int) -> None:
        self.unreadable += n

    def items_arrived(self, n_served: int, n_without_vector: int) -> None:
        self.arrived = n_served, n_without_vector

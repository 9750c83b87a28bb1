"""What lists leave behind for later ones, in memory: pages shown, and what rises."""

from collections.abc import Mapping

from service.domain.arrays import Hashes
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

"""Everything that is fitted on the log up to one instant, each fit made once."""

from dataclasses import dataclass, field

from scipy import sparse

from models.evaluation.baselines import popularity
from models.evaluation.baselines.ease import ItemWeights, fit_ease
from models.evaluation.baselines.knn import item_similarities
from models.evaluation.baselines.popularity import Popular, RollingPopular
from models.evaluation.tower_scores import Towers, TowerScorer
from models.interactions import Log


@dataclass(frozen=True, slots=True)
class Fits:
    """Makes fits on first use and keeps them; nothing of the log from `until_s` on goes in.

    Attributes:
        until_s: epoch seconds.
        towers: towers trained on the log before `until_s`; None where none are evaluated.
        last: events that the user tower sees.
    """

    log: Log
    until_s: int
    towers: Towers | None = None
    last: int = 20
    _ease: dict[tuple[float, float | None], ItemWeights] = field(default_factory=dict)
    _similar: dict[str, sparse.csr_array] = field(default_factory=dict)
    _towers: dict[bool, TowerScorer] = field(default_factory=dict)

    def all_time(self) -> Popular:
        return popularity.all_time(self.log, self.until_s)

    def recent(self, window_days: int) -> Popular:
        return popularity.recent(self.log, self.until_s, window_days)

    def rolling(self, window_days: int) -> RollingPopular:
        """Not a fit: every case sees the days before its own."""
        return popularity.rolling(self.log, window_days)

    def ease(self, strength: float, half_life_days: float | None) -> ItemWeights:
        key = (strength, half_life_days)
        if key not in self._ease:
            self._ease[key] = fit_ease(self.log, self.until_s, strength, half_life_days)
        return self._ease[key]

    def similar(self, rows: str) -> sparse.csr_array:
        if rows not in self._similar:
            self._similar[rows] = item_similarities(self.log, self.until_s, rows)
        return self._similar[rows]

    def tower(self, fresh: bool) -> TowerScorer:
        if self.towers is None:
            raise ValueError("no towers were given")
        if fresh not in self._towers:
            self._towers[fresh] = TowerScorer(self.towers, self.last, self.until_s, fresh)
        return self._towers[fresh]

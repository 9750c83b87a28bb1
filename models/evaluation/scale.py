"""From lists to rows with intervals over users: whole, by segment, and against rivals."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.evaluation.cases import Cases, segment_masks
from models.evaluation.metrics import MEASURES, Estimate, Judged, UserBootstrap, coverage, gini
from models.evaluation.results import Difference, Row, Target
from models.evaluation.scorers import NOTHING, known
from models.evaluation.trial import Tried
from service.domain.arrays import Mask

SHOWN_K = 50
"""Coverage and Gini look at the first 50 places."""
PAIRED = ("recall@50", "recall@100", "ndcg@10")


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns lists into rows with intervals, whole and by segment.

    Attributes:
        last: events that the methods with limited information see.
    """

    cases: Cases
    last: int
    seed: int

    def target(self, name: str, tried: list[Tried]) -> Target:
        """All rows and the paired differences."""
        cases = self.cases
        draws = UserBootstrap(cases.user, self.seed)
        masks = {name: mask for name, mask in segment_masks(cases).items() if mask.any()}
        by_segment = {
            segment: (mask, UserBootstrap(cases.user[mask], self.seed))
            for segment, mask in masks.items()
        }
        return Target(
            name,
            cases.n,
            draws.n_users,
            float(np.diff(cases.target_at).mean()),
            {segment: int(mask.sum()) for segment, mask in masks.items()},
            tuple(self._row(one, draws, by_segment) for one in tried),
            tuple(_differences(tried, self.last, draws)),
        )

    def _row(
        self, tried: Tried, draws: UserBootstrap, by_segment: dict[str, tuple[Mask, UserBootstrap]]
    ) -> Row:
        values = {name: tried.judged.measure(name) for name in MEASURES}
        lists, n_items = tried.judged.lists, self.cases.log.items.n
        return Row(
            tried.method.name,
            tried.method.information,
            tried.method.fresh,
            tried.method.describe(tried.choice),
            {name: draws.estimate(values[name]) for name in MEASURES},
            coverage(lists, n_items, SHOWN_K),
            gini(lists, n_items, SHOWN_K),
            {
                segment: {name: own.estimate(values[name][mask]) for name in MEASURES}
                for segment, (mask, own) in by_segment.items()
            },
        )


def _differences(tried: list[Tried], last: int, draws: UserBootstrap) -> Iterator[Difference]:
    """Each tower row minus the strongest baselines of its group, and minus popularity."""
    for ours in tried:
        if not ours.is_tower:
            continue
        group = [t for t in tried if not t.is_tower and t.method.fresh <= ours.method.fresh]
        for theirs, why in _rivals(ours, group, last):
            yield Difference(
                ours.method.name,
                theirs.method.name,
                why,
                _paired(ours.judged, theirs.judged, draws),
            )


def _rivals(ours: Tried, group: list[Tried], last: int) -> list[tuple[Tried, str]]:
    """Best with no more information, by Recall@50 and by NDCG@10; best of all; popularity."""
    allowed = (NOTHING, known(last), ours.method.information)
    same = [t for t in group if t.method.information in allowed]
    named = [
        (max(same, key=lambda t: t.recall), "best Recall@50 with the same information"),
        (max(same, key=_ndcg), "best NDCG@10 with the same information"),
        (max(group, key=lambda t: t.recall), "best Recall@50 with any information"),
        (max((t for t in same if t.method.information == NOTHING), key=_ndcg), "best popularity"),
    ]
    found: dict[str, tuple[Tried, str]] = {}
    for theirs, why in named:
        found.setdefault(theirs.method.name, (theirs, why))
    return list(found.values())


def _ndcg(tried: Tried) -> float:
    return float(tried.judged.measure("ndcg@10").mean())


def _paired(ours: Judged, theirs: Judged, draws: UserBootstrap) -> dict[str, Estimate]:
    return {name: draws.difference(ours.measure(name), theirs.measure(name)) for name in PAIRED}

"""Reference histograms of a release: what its inputs and answers looked like when it was made."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Scores, Times, Vectors
from service.indexes.exact import ExactIndex
from service.releases.probes import DEPTH
from service.towers.features import History

AGE_EDGES_S = (0.0, 60.0, 600.0, 3600.0, 86_400.0, 604_800.0, 2_592_000.0, 7_776_000.0, 1e12)
LENGTH_EDGES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 1e9)
SCORE_EDGES = tuple(np.linspace(-1.0, 1.0, 41).round(3).tolist())
DECILE_EDGES = tuple(np.linspace(0.0, 1.0, 11).round(3).tolist())
MAX_STATES = 1000


class Asked(Protocol):
    """Histories and the moments at which they were asked; see `models.building.assemble.States`."""

    @property
    def histories(self) -> Sequence[History]: ...

    @property
    def now_s(self) -> Times: ...


def histograms(
    states: Asked, answers: Vectors, exact: ExactIndex, popularity: Scores
) -> dict[str, object]:
    """Shares per bin over real states, for drift: {name: {edges [b + 1], shares [b]}}.

    `signal_age_s` and `history_length` of the inputs; `top_score`, `score_at_100` and
    `popularity_rank` (0 = most popular) of the exact top 100; `user_vector` has the mean and
    the standard deviation per dimension instead.
    """
    histories = states.histories[:MAX_STATES]
    answers = answers[:MAX_STATES]
    ages = [now - h.at_s[-1] for h, now in zip(histories, states.now_s, strict=False) if len(h)]
    found = [exact.search(answer, DEPTH) for answer in answers]
    rank = np.empty(len(popularity))
    rank[np.argsort(-popularity, kind="stable")] = np.linspace(0.0, 1.0, len(popularity))
    return {
        "signal_age_s": _shares(np.array(ages), AGE_EDGES_S),
        "history_length": _shares(np.array([len(h) for h in histories]), LENGTH_EDGES),
        "top_score": _shares(np.array([scores[0] for _, scores in found]), SCORE_EDGES),
        "score_at_100": _shares(np.array([scores[-1] for _, scores in found]), SCORE_EDGES),
        "popularity_rank": _shares(rank[np.concatenate([r for r, _ in found])], DECILE_EDGES),
        "user_vector": {
            "mean": answers.mean(axis=0).round(5).tolist(),
            "std": answers.std(axis=0).round(5).tolist(),
        },
    }


def _shares(values: NDArray, edges: Sequence[float]) -> dict[str, object]:  # type: ignore[type-arg]
    """Shares per bin; values beyond the edges count in the outer bins."""
    clipped = np.clip(values, edges[0], np.nextafter(edges[-1], edges[0]))
    counts = np.histogram(clipped, bins=edges)[0]
    shares = (counts / max(1, len(values))).round(6)
    return {"edges": list(edges), "shares": shares.tolist(), "n": len(values)}

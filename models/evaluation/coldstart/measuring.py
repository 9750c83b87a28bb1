"""Lists of several methods on the same people, judged and compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluation.cases import Cases
from models.evaluation.metrics import Estimate, UserBootstrap, Values
from models.evaluation.scorers import Scorer, judge_lists, lists_of

MEASURES = ("recall@50", "ndcg@10")
DEPTH = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One method on one population.

    Attributes:
        measures: Recall@50 and NDCG@10.
        gains: paired differences to the lines named in `Measured.against`, by their place.
    """

    name: str
    measures: tuple[Estimate, Estimate]
    gains: tuple[tuple[Estimate, Estimate], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """All methods on one population."""

    title: str
    cases: int
    users: int
    targets_per_case: float
    against: tuple[str, ...]
    lines: tuple[Line, ...]


def measure(
    title: str, cases: Cases, scorers: Sequence[Scorer], against: Sequence[int], seed: int
) -> Measured:
    """Judges every method; the methods at the positions `against` are what others are held to."""
    draws = UserBootstrap(cases.user, seed)
    found = [values(scorer, cases) for scorer in scorers]
    lines = tuple(
        Line(
            scorer.name,
            (draws.estimate(own[0]), draws.estimate(own[1])),
            tuple(
                (draws.difference(own[0], found[i][0]), draws.difference(own[1], found[i][1]))
                for i in against
            ),
        )
        for scorer, own in zip(scorers, found, strict=True)
    )
    targets = float(np.diff(cases.target_at).mean())
    names = tuple(scorers[i].name for i in against)
    return Measured(title, cases.n, draws.n_users, targets, names, lines)


def values(scorer: Scorer, cases: Cases) -> tuple[Values, Values]:
    """Recall@50 and NDCG@10 of each case."""
    judged = judge_lists(lists_of(scorer, cases, DEPTH), cases)
    return judged.measure(MEASURES[0]), judged.measure(MEASURES[1])


def worth(scorer: Scorer, cases: Cases) -> float:
    """S, what choices are made by: the mean of Recall@50 and NDCG@10."""
    recall, ndcg = values(scorer, cases)
    return float((recall.mean() + ndcg.mean()) / 2)

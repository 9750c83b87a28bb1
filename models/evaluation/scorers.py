"""What every ranking method of the evaluation is: a scorer of all items for a run of cases."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.evaluation.cases import Cases
from models.evaluation.metrics import DEPTH, Judged, Lists, join, judge, ranked
from service.domain.arrays import Scores

NOTHING = "nothing of the user"


class Scorer(Protocol):
    """A method as the tables show it: its name, what it may know, and its scores."""

    @property
    def name(self) -> str: ...

    @property
    def information(self) -> str:
        """What it knows of the user: nothing, the last 20 events, or all of them."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether other people's events up to the midnight before the case are used."""
        ...

    def score(self, cases: Cases, part: slice) -> Scores:
        """float32 [cases of the part, items], higher is better, at most about 1."""
        ...


@dataclass(frozen=True, slots=True)
class Blend:
    """A base score plus weighted other scores."""

    name: str
    information: str
    fresh: bool
    base: Scorer
    terms: tuple[tuple[Scorer, float], ...]

    def score(self, cases: Cases, part: slice) -> Scores:
        scores = self.base.score(cases, part)
        for scorer, weight in self.terms:
            if weight:
                scores = scores + np.float32(weight) * scorer.score(cases, part)
        return scores


def known(last: int | None) -> str:
    """The information limit of a method that sees the newest `last` events, or all of them."""
    return "all history" if last is None else f"last {last}"


def hide_seen(scores: Scores, cases: Cases, part: slice) -> Scores:
    """The scores with everything the user touched before at minus infinity, for new-item cases."""
    if not cases.only_new:
        return scores
    past = cases.past(part, None)
    hidden = scores.copy()
    hidden[past.case, past.row] = -np.inf
    return hidden


def lists_of(scorer: Scorer, cases: Cases, depth: int = DEPTH) -> Lists:
    """The ranked list of every case."""
    return np.concatenate(
        [ranked(hide_seen(scorer.score(cases, part), cases, part), depth) for part in cases.parts()]
    )


def judge_lists(lists: Lists, cases: Cases) -> Judged:
    """The hits of given lists; the lists must belong to the same cases."""
    return join([judge(lists[part], cases.target_rows(part)) for part in cases.parts()])


def scaled(scores: Scores, fallback: Scores | None = None) -> Scores:
    """Each row divided by its largest absolute score; rows without any signal from `fallback`."""
    top = np.abs(scores).max(axis=1, keepdims=True)
    empty = top[:, 0] == 0
    out: Scores = np.divide(scores, np.where(top == 0, 1, top), dtype=np.float32)
    if fallback is not None:
        out[empty] = fallback[empty]
    return out

"""What is tried on people we know little of, frozen at the split: lists, vectors, and blends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.building.ladder import make_ladder, recent_popularity
from models.evaluation.baselines.states import positive_past
from models.evaluation.cases import Cases
from models.evaluation.metrics import ranked
from models.evaluation.scorers import NOTHING, Scorer
from models.evaluation.tower_scores import TowerScorer
from models.interactions import Log
from service.domain.arrays import Rows, Scores
from service.domain.ladders import ALL, Ladder, category_scope, country_scope
from service.domain.popularity import INTEREST_WEIGHT, by_interest, sparse_weight, with_popularity

NEAREST = 400
"""Length of the lists that are dealt from."""
Said = Sequence[tuple[str, ...]]
"""The interests that each person declared."""
Weights = Callable[[Rows], Scores]
"""What popularity, or content, counts by number of known actions, int64 [n] -> float32 [n]."""


@dataclass(frozen=True, slots=True)
class Lists:
    """One ready list per case; what is not on it comes after it."""

    name: str
    lists: Sequence[Rows]
    information: str = NOTHING
    fresh: bool = False

    def score(self, cases: Cases, part: slice) -> Scores:
        out = np.full((part.stop - part.start, cases.log.items.n), -cases.log.items.n, np.float32)
        for case, rows in enumerate(self.lists[part]):
            out[case, rows] = -np.arange(len(rows), dtype=np.float32)
        return out


@dataclass(frozen=True, slots=True)
class Content:
    """Nearest to the mean of the vectors of the last items, the `content` rung's way."""

    tower: TowerScorer
    name: str = "Content (mean of the items)"
    fresh: bool = False

    @property
    def information(self) -> str:
        return self.tower.information

    def score(self, cases: Cases, part: slice) -> Scores:
        vectors = self.tower.items(self.tower.as_of_s)
        past = positive_past(cases, part, self.tower.last)
        sums = np.zeros((past.n_cases, vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, past.case, vectors[past.row])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        scores: Scores = (sums / np.maximum(lengths, 1e-6)) @ vectors.T
        return scores


@dataclass(frozen=True, slots=True)
class WithPopularity:
    """Inner product + weight * popularity, as the service blends it."""

    name: str
    tower: Scorer
    shares: Scores
    weights: Weights
    fresh: bool = False

    @property
    def information(self) -> str:
        return self.tower.information

    def score(self, cases: Cases, part: slice) -> Scores:
        scores = self.tower.score(cases, part)
        for case, weight in enumerate(self.weights(cases.n_earlier[part]).tolist()):
            scores[case] = with_popularity(scores[case], self.shares, weight)
        return scores


@dataclass(frozen=True, slots=True)
class Dealt:
    """Two lists dealt into one, the second getting its share of the places by each rank."""

    name: str
    first: Scorer
    second: Scorer
    shares: Weights
    fresh: bool = False

    @property
    def information(self) -> str:
        return self.first.information

    def score(self, cases: Cases, part: slice) -> Scores:
        share = self.shares(cases.n_earlier[part])[:, np.newaxis]
        first = _places(self.first.score(cases, part), 1.0 - share)
        return np.maximum(first, _places(self.second.score(cases, part), share))


def _places(scores: Scores, share: Scores) -> Scores:
    """Minus the place that each item gets in a list with this share of the places."""
    lists = ranked(np.ascontiguousarray(scores), NEAREST).astype(np.int64)
    out = np.full(scores.shape, np.finfo(np.float32).min, dtype=np.float32)
    ranks = np.arange(lists.shape[1], dtype=np.float32) + 0.5
    np.put_along_axis(out, lists, -ranks / np.maximum(share, 1e-9), axis=1)
    return out


def falling(full: float, below: int) -> Weights:
    """`full` at no action, evenly down to 0 at `below`: the service's own rule."""
    return lambda n: np.array([sparse_weight(one, full, below) for one in n.tolist()], np.float32)


def constant(weight: float) -> Weights:
    return lambda n: np.full(len(n), weight, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Shop:
    """What a release built at the split would know of popularity."""

    log: Log
    ladder: Ladder
    shares: Scores

    @classmethod
    def at(cls, log: Log, until_s: int) -> "Shop":
        shares = recent_popularity(log, until_s).astype(np.float32)
        return cls(log, make_ladder(log, until_s), shares)

    def popular(self, cases: Cases) -> Lists:
        """What a newcomer is served."""
        return Lists("Popular list, as served", [self.ladder.popular_in(ALL)] * cases.n)

    def local(self, cases: Cases) -> Lists:
        """What a newcomer is served whose country is known."""
        countries = (self.log.countries[user] for user in cases.user.tolist())
        own = (self.ladder.popular_in(country_scope(name)) for name in countries)
        everything = self.ladder.popular_in(ALL)
        lists = [_joined(rows, everything) for rows in own]
        return Lists("Popular list, as served, country known", lists)

    def liked(self, said: Said, weight: float = INTEREST_WEIGHT) -> Lists:
        """What a newcomer is served who declared interests."""
        everything = self.ladder.popular_in(ALL)
        lists = [
            by_interest(everything, scopes(self.ladder.popular_in, names), self.shares, weight)
            for names in said
        ]
        served = ", as served" if weight == INTEREST_WEIGHT else ""
        return Lists(f"Three interests, popularity x {weight:g}{served}", lists)

    def only_liked(self, said: Said) -> Lists:
        """The popular items of the interests in turn, then the popular list."""
        return Lists("Three interests, their popular items first", self._in_turn(said, False))

    def rising(self, said: Said) -> Lists:
        """What rises in the interests first: what was served before this was measured."""
        return Lists("Three interests, their trending items first", self._in_turn(said, True))

    def _in_turn(self, said: Said, trending: bool) -> list[Rows]:
        everything = self.ladder.popular_in(ALL)
        lists = []
        for names in said:
            popular = _dealt(scopes(self.ladder.popular_in, names))
            rising = _dealt(scopes(self.ladder.trending_in, names)) if trending else popular
            lists.append(_joined(rising, popular, everything))
        return lists


def scopes(list_of: Callable[[str], Rows], names: tuple[str, ...]) -> list[Rows]:
    """The lists of these categories."""
    return [list_of(category_scope(name)) for name in names]


def _dealt(lists: Sequence[Rows]) -> Rows:
    """First of each list, then the second of each; a row keeps its first place."""
    rows = np.concatenate(lists)
    ranks = np.concatenate([np.arange(len(one)) for one in lists])
    return _joined(rows[np.argsort(ranks, kind="stable")])


def _joined(*lists: Rows) -> Rows:
    """One list after the other; a row keeps its first place."""
    rows = np.concatenate(lists)
    _, first = np.unique(rows, return_index=True)
    joined: Rows = rows[np.sort(first)]
    return joined

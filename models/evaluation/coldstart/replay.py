"""The cold start of one data set, replayed: choices on validation, figures on the test period."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.evaluation.baselines.fits import Fits
from models.evaluation.baselines.popularity import WINDOWS_DAYS
from models.evaluation.cases import Cases
from models.evaluation.coldstart.measuring import Measured, measure, worth
from models.evaluation.coldstart.methods import (
    Content,
    Dealt,
    Said,
    Shop,
    Weights,
    WithPopularity,
    constant,
    falling,
)
from models.evaluation.coldstart.populations import FEW, SOME, Period, declared_interests
from models.evaluation.coldstart.unseen import Random
from models.evaluation.methods import window_method
from models.evaluation.probing import unseen_items
from models.evaluation.protocols import new_items, next_orders, sample
from models.evaluation.question import MAX_TUNING_CASES
from models.evaluation.results import UnseenItems
from models.evaluation.scorers import Scorer
from models.evaluation.tower_scores import Towers, TowerScorer
from models.evaluation.tuning import tune
from models.interactions import Log
from service.domain.popularity import SPARSE_WEIGHT, STALE_WEIGHT

BELOW, LATEST = 5, 10
"""`pipeline.sparse_below`: its default and its upper bound."""
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
STALE_WEIGHTS = (0.05, 0.1, 0.2, 0.4)
SHARES = (0.1, 0.25, 0.5, 1.0)
STALE_SHARES = (0.1, 0.25, 0.5)
INTEREST_WEIGHTS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
LENGTHS = (1, 2, 3, 4, 6, 9)
MOST, MOST_TUNING = 3_000, 1_500

Grid = Mapping[str, Mapping[str, float]]
"""S by method and population."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the split: what was known when it began, and the orders in it."""

    fits: Fits
    period: Period
    shop: Shop
    recent_days: int

    @classmethod
    def of(cls, fits: Fits, period: Period, recent_days: int) -> "Side":
        return cls(fits, period, Shop.at(fits.log, fits.until_s), recent_days)

    @property
    def tower(self) -> TowerScorer:
        return self.fits.tower(False)

    @property
    def content(self) -> Content:
        return Content(self.tower)

    def popularity(self) -> list[Scorer]:
        """The baselines: a recent window, and all time."""
        return [self.fits.recent(self.recent_days), self.fits.all_time()]

    def with_popularity(self, name: str, weights: Weights) -> WithPopularity:
        return WithPopularity(name, self.tower, self.shop.shares, weights)

    def with_content(self, name: str, shares: Weights) -> Dealt:
        return Dealt(name, self.tower, self.content, shares)

    def with_popular_places(self, name: str, shares: Weights) -> Dealt:
        return Dealt(name, self.tower, self.fits.recent(self.recent_days), shares)


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed.

    Attributes:
        validation, test: both sides, each with towers that were trained before it begins.
        seed: of samples and intervals.
    """

    validation: Side
    test: Side
    seed: int

    def lengths(self) -> Grid:
        """S by number of actions told, of the same people: constant weights and shares."""
        cut = {f"{n}": self.validation.period.cut(n, n) for n in LENGTHS}
        side = self.validation
        scorers: list[Scorer] = [side.tower, side.content]
        scorers += [side.with_content(f"Content, share {s:g}", constant(s)) for s in SHARES[:-1]]
        scorers += [
            side.with_popularity(f"Popularity, weight {w:g}", constant(w))
            for w in (*STALE_WEIGHTS, 0.8)
        ]
        return _grid(scorers, cut)

    def choices(self) -> Grid:
        """S of everything that falls with what is known."""
        side, people = self.validation, {}
        for few in (FEW, SOME):
            title = f"{few[0]}-{few[1]}"
            people[f"{title}, as logged"] = side.period.with_actions(*few)
            people[f"{title}, cut"] = side.period.cut(*few)
        scorers: list[Scorer] = [side.tower, side.content]
        for below in (BELOW, LATEST):
            scorers += [
                side.with_content(f"Content, {s:g} falling to {below}", falling(s, below))
                for s in SHARES
            ]
            scorers += [
                side.with_popularity(f"Popularity, {w:g} falling to {below}", falling(w, below))
                for w in WEIGHTS
            ]
        return _grid(scorers, people)

    def stale_choices(self) -> Grid:
        side = self.validation
        scorers: list[Scorer] = [side.tower]
        scorers += [
            side.with_popular_places(f"Popular items, share {s:g}", constant(s))
            for s in STALE_SHARES
        ]
        scorers += [
            side.with_popularity(f"Popularity, weight {w:g}", constant(w)) for w in STALE_WEIGHTS
        ]
        return _grid(scorers, {"newest action older than 90 days": side.period.stale()})

    def interest_choices(self) -> Grid:
        side = self.validation
        cases, said = declared_interests(side.period.with_actions(0, 0))
        scorers = [side.shop.liked(said, w) for w in INTEREST_WEIGHTS]
        scorers += [side.shop.only_liked(said), side.shop.rising(said)]
        return _grid(scorers, {"no action, interests known": cases})

    def tables(self) -> Iterator[Measured]:
        """The test period, one table per population that has a case."""
        side = self.test
        newcomers = side.period.with_actions(0, 0)
        yield from self._table("No action", newcomers, self._newcomers(newcomers), (0,))
        cases, said = declared_interests(newcomers)
        title = "No action, three interests declared"
        yield from self._table(title, cases, self._declared(cases, said), (0, 2))
        for fewest, most in (FEW, SOME):
            title = f"{fewest} to {most} actions"
            logged = side.period.with_actions(fewest, most)
            cut = side.period.cut(fewest, most)
            yield from self._table(f"{title}, as logged", logged, self._sparse(), (0, 2))
            yield from self._table(f"{title}, cut", cut, self._sparse(), (0, 2))
        title = "Newest action older than 90 days"
        yield from self._table(title, side.period.stale(), self._stale(), (0, 2))

    def _table(
        self, title: str, cases: Cases, scorers: Sequence[Scorer], against: Sequence[int]
    ) -> Iterator[Measured]:
        if cases.n:
            yield measure(title, cases, scorers, against, self.seed)

    def _newcomers(self, cases: Cases) -> list[Scorer]:
        side = self.test
        local = [side.shop.local(cases)] if any(side.fits.log.countries) else []
        return [*side.popularity(), side.shop.popular(cases), *local, side.tower]

    def _declared(self, cases: Cases, said: Said) -> list[Scorer]:
        shop = self.test.shop
        served = [shop.popular(cases), shop.liked(said)]
        return [*self.test.popularity(), *served, shop.only_liked(said), shop.rising(said)]

    def _sparse(self) -> list[Scorer]:
        side = self.test
        served = f"Tower + popularity {SPARSE_WEIGHT:g} falling"
        later = falling(SPARSE_WEIGHT, LATEST)
        return [
            *side.popularity(),
            side.tower,
            side.content,
            side.with_content("Tower and content dealt, share 1 falling", falling(1.0, BELOW)),
            side.with_popularity(f"{served} (as served)", falling(SPARSE_WEIGHT, BELOW)),
            side.with_popularity(f"{served}, sparse_below = {LATEST}", later),
        ]

    def _stale(self) -> list[Scorer]:
        side, served = self.test, constant(STALE_WEIGHT)
        return [
            *side.popularity(),
            side.tower,
            side.with_popular_places("Tower and popular items dealt, share 0.5", constant(0.5)),
            side.with_popularity(f"Tower + popularity {STALE_WEIGHT:g} (as served)", served),
        ]

    def unseen(self, side: Side) -> UnseenItems:
        """Items first seen in the period, found by the vectors of their content."""
        period = side.period
        orders = next_orders(period.log, period.from_s, period.until_s)
        scorers = [Random(self.seed), *side.popularity(), side.tower]
        return unseen_items(scorers, side.fits, sample(orders, MOST * 2, self.seed), self.seed)


def make_replay(
    log: Log, towers: Mapping[int, Towers], split: tuple[int, int], last: int, seed: int
) -> Replay:
    """Both sides; the popularity window is chosen on validation.

    Args:
        log: all events.
        towers: by the instant before which they were trained.
        split: where validation and test begin, epoch seconds.
        last: actions that the towers see.
        seed: of samples and intervals.
    """
    start, until = split
    tuning = Period(log, start, until, MOST_TUNING, seed)
    fits = Fits(log, start, towers[start], last)
    orders = sample(new_items(next_orders(log, start, until)), MAX_TUNING_CASES, seed)
    days = WINDOWS_DAYS[tune(window_method(False), fits, orders).variant]
    test = Period(log, until, None, MOST, seed)
    return Replay(
        Side.of(fits, tuning, days),
        Side.of(Fits(log, until, towers[until], last), test, days),
        seed,
    )


def _grid(scorers: Sequence[Scorer], people: Mapping[str, Cases]) -> Grid:
    return {
        scorer.name: {name: worth(scorer, cases) for name, cases in people.items() if cases.n}
        for scorer in scorers
    }

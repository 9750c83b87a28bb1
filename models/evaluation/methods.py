"""The rows of the evaluation: every method with its information limit and what is tuned."""

from dataclasses import dataclass

from models.evaluation.baselines.ease import Ease
from models.evaluation.baselines.fits import Fits
from models.evaluation.baselines.knn import ItemKnn
from models.evaluation.baselines.own_history import OwnItems, OwnThenPopular
from models.evaluation.baselines.popularity import WINDOWS_DAYS
from models.evaluation.baselines.states import FLAT, Weighting
from models.evaluation.scorers import NOTHING, Scorer, known
from models.evaluation.tuning import Maker, Method, Term, Variant

POPULAR_WEIGHTS = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
OWN_WEIGHTS = (0.0, 0.3, 1.0, 2.0, 4.0)
TOWER_POPULAR_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
TOWER_OWN_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
EASE_STRENGTHS = (100.0, 200.0, 500.0, 1000.0)
DECAYED_STRENGTHS = (20.0, 100.0, 400.0)
HALF_LIVES_DAYS = (60.0, 120.0)
RECENCY = (Weighting("position"), Weighting("age"))
RECENT = "Popularity, recent window"
ROLLING = "Popularity, rolling"
DECAYED = "EASE on time-decayed data"
TOWER = "Tower"


def window_method(fresh: bool) -> Method:
    """Popularity with its window open: what is chosen here serves all other methods.

    Chosen by Recall@50 alone: NDCG@10 prefers days so few that the rest of the list suffers.
    """
    name = ROLLING if fresh else RECENT
    variants = tuple(Variant(f"{days} days", _popular(fresh, days)) for days in WINDOWS_DAYS)
    return Method(name, NOTHING, fresh, variants, measures=("recall@50",))


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rows of one target have in common.

    Attributes:
        repeats: whether items the user had before count as targets, so own items are a term.
        last: the newest events that the limited methods see, as many as the tower.
        recent_days, rolling_days: popularity windows, chosen on the validation slice.
        own_weights: weights of own items to try beside the towers.
        is_refreshable: whether the towers' item vectors can be made anew for another day.
    """

    repeats: bool
    last: int
    recent_days: int
    rolling_days: int
    own_weights: tuple[float, ...] = TOWER_OWN_WEIGHTS
    is_refreshable: bool = True

    @property
    def tower_information(self) -> str:
        return known(self.last)

    @property
    def served(self) -> str:
        """The row of what a release answers by itself: frozen, with the actions that it reads."""
        return self._tower(False, own=(self.last,) if self.repeats else ()).name

    def baselines(self) -> list[Method]:
        """Everything that needs no towers, frozen rows first."""
        last, everything = self.last, None
        return [
            *self.simple(),
            self._knn(last, (FLAT,)),
            self._knn(last, RECENCY),
            self._mixed(self._knn(last, (FLAT, *RECENCY))),
            self._mixed(self._knn(everything, (FLAT, *RECENCY))),
            self._ease(last),
            self._mixed(self._ease(last)),
            self._ease(everything),
            self._mixed(self._ease(everything)),
            self._mixed(self._ease(last, HALF_LIVES_DAYS)),
            self._mixed(self._ease(everything, HALF_LIVES_DAYS)),
            self._mixed(self._knn(last, (FLAT, *RECENCY), fresh=True)),
            self._mixed(self._ease(last, fresh=True)),
            self._mixed(self._ease(last, HALF_LIVES_DAYS, fresh=True)),
            self._mixed(self._ease(everything, HALF_LIVES_DAYS, fresh=True)),
        ]

    def simple(self) -> list[Method]:
        """Popularity, and the user's own items before it."""
        rows = [
            _one("Popularity, all time", NOTHING, False, Fits.all_time),
            _one(RECENT, NOTHING, False, self._days(False), f"{self.recent_days} days"),
            _one(ROLLING, NOTHING, True, self._days(True), f"{self.rolling_days} days"),
        ]
        for last in (self.last, None) if self.repeats else ():
            name = f"Own history ({known(last)}), then popular"
            rows.append(_one(name, known(last), False, _own_first(last, self._days(False))))
        return rows

    def towers(self) -> list[Method]:
        """The tower's rows: alone, with rolling popularity, and with the user's own items."""
        own: tuple[tuple[int | None, ...], ...] = ((self.last,), (None,)) if self.repeats else ()
        rows = [self._tower(False), *(self._tower(False, own=last) for last in own)]
        if self.is_refreshable:
            rows += [self._tower(True), self._tower(True, popular=True)]
            rows += [self._tower(True, popular=True, own=last) for last in own]
        return rows

    def _tower(
        self, fresh: bool, popular: bool = False, own: tuple[int | None, ...] = ()
    ) -> Method:
        name = f"{TOWER}, refreshed daily" if fresh else f"{TOWER}, {known(self.last)}"
        terms: list[Term] = []
        if popular:
            name += ", + rolling-popularity dimension"
            terms.append(Term("popularity", self._days(True), TOWER_POPULAR_WEIGHTS))
        for last in own:
            name += f", + own items of {known(last)}"
            terms.append(Term("own items", _own(last), self.own_weights))
        information = known(own[0] if own else self.last)
        variants = (Variant("", lambda fits: fits.tower(fresh)),)
        return Method(name, information, fresh, variants, tuple(terms))

    def _knn(
        self, last: int | None, weightings: tuple[Weighting, ...], fresh: bool = False
    ) -> Method:
        recency = ", recency weights" if weightings == RECENCY else ""
        variants = tuple(
            Variant(f"{rows}, {weighting.kind}", _neighbours(rows, weighting, last, fallback))
            for fallback in (self._days(fresh),)
            for rows in ("users", "orders")
            for weighting in weightings
        )
        return Method(f"item-kNN, {known(last)}{recency}", known(last), fresh, variants)

    def _ease(
        self,
        last: int | None,
        half_lives: tuple[float | None, ...] = (None,),
        fresh: bool = False,
    ) -> Method:
        decayed = half_lives != (None,)
        variants = tuple(
            Variant(_ease_label(strength, half_life), _linear(strength, half_life, last, fallback))
            for fallback in (self._days(fresh),)
            for half_life in half_lives
            for strength in (DECAYED_STRENGTHS if decayed else EASE_STRENGTHS)
        )
        name = f"{DECAYED if decayed else 'EASE'}, {known(last)}"
        return Method(name, known(last), fresh, variants)

    def _mixed(self, method: Method) -> Method:
        """The method plus popularity and, where repeats count, the user's own items."""
        popular = "rolling popularity" if method.fresh else "popularity"
        terms = [Term("popularity", self._days(method.fresh), POPULAR_WEIGHTS)]
        name = f"{method.name}, + {popular}"
        if self.repeats:
            last = self.last if method.information == known(self.last) else None
            terms.append(Term("own items", _own(last), OWN_WEIGHTS))
            name = f"{method.name}, + own items + {popular}"
        return Method(name, method.information, method.fresh, method.variants, tuple(terms))

    def _days(self, fresh: bool) -> Maker:
        return _popular(fresh, self.rolling_days if fresh else self.recent_days)


def _one(name: str, information: str, fresh: bool, maker: Maker, label: str = "") -> Method:
    return Method(name, information, fresh, (Variant(label, maker),))


def _popular(fresh: bool, days: int) -> Maker:
    return lambda fits: fits.rolling(days) if fresh else fits.recent(days)


def _own(last: int | None) -> Maker:
    return lambda fits: OwnItems(last)


def _own_first(last: int | None, popular: Maker) -> Maker:
    return lambda fits: OwnThenPopular(last, popular(fits))


def _neighbours(rows: str, weighting: Weighting, last: int | None, fallback: Maker) -> Maker:
    def make(fits: Fits) -> Scorer:
        return ItemKnn(fits.similar(rows), last, fallback(fits), weighting)

    return make


def _linear(strength: float, half_life: float | None, last: int | None, fallback: Maker) -> Maker:
    def make(fits: Fits) -> Scorer:
        return Ease(fits.ease(strength, half_life), last, fallback(fits))

    return make


def _ease_label(strength: float, half_life: float | None) -> str:
    decay = "" if half_life is None else f", half-life {half_life:g} days"
    return f"lambda {strength:g}{decay}"

"""What is asked of a log, and the run that answers it: the same cases for every method."""

from dataclasses import dataclass, replace

import numpy as np

from models.errors import EvaluationInvalid
from models.evaluation.baselines.fits import Fits
from models.evaluation.cases import Cases
from models.evaluation.methods import Plan
from models.evaluation.probing import live_effect, unseen_items
from models.evaluation.protocols import new_items, next_items, next_orders, sample
from models.evaluation.results import Evaluation, Target
from models.evaluation.scale import Scale
from models.evaluation.scorers import Scorer
from models.evaluation.tower_scores import Towers
from models.evaluation.trial import Slices, Tried, plan_for, rejudge, try_methods
from models.interactions import Log, split_time

SPLIT, VALIDATION = 0.8, 0.7
"""Quantiles of event times where the test and the validation period begin."""
MAX_CASES, MAX_TUNING_CASES = 6_000, 2_500
SEED = 1
LAST = 20
NEW_ITEMS, NEXT_ORDER, NEXT_ITEM = "new items", "next order", "next item"


@dataclass(frozen=True, slots=True)
class Question:
    """What is evaluated, and how much of it.

    Attributes:
        towers: trained before the split; None for baselines only.
        tuning_towers: the same recipe trained before the validation period, to choose weights.
        last: events that methods with limited information see.
        quick: popularity, own history and towers only.
        split_s: where the test period begins; the 80 % point of the log's events when not given.
        release_weight: weight of own items of a release, in place of a choice on validation.
    """

    log: Log
    towers: Towers | None = None
    tuning_towers: Towers | None = None
    last: int = LAST
    quick: bool = False
    seed: int = SEED
    progress: bool = True
    split_s: int | None = None
    release_weight: float | None = None

    def slices(self) -> Slices:
        """Both sides of the split, with targets of the whole next order.

        Raises:
            EvaluationInvalid: a side has no case.
        """
        validation, split = self._times()
        tuning = sample(next_orders(self.log, validation, split), MAX_TUNING_CASES, self.seed)
        test = sample(next_orders(self.log, split), MAX_CASES, self.seed)
        return Slices(
            Fits(self.log, validation, self.tuning_towers, self.last),
            _some(tuning, "in the validation period before the split"),
            Fits(self.log, split, self.towers, self.last),
            _some(test, "after the split"),
        )

    def _times(self) -> tuple[int, int]:
        """Where validation and test begin, epoch seconds."""
        if self.split_s is None:
            return split_time(self.log, VALIDATION), split_time(self.log, SPLIT)
        before = self.log.at_s[self.log.at_s < self.split_s]
        if not len(before):
            raise EvaluationInvalid("no event lies before the split: evaluate a longer log")
        return int(np.quantile(before, VALIDATION / SPLIT, method="higher")), self.split_s

    def trials(self) -> tuple["Trial", "Trial"]:
        """The trial of each target: items new to the user, and the next order with repeats."""
        slices = self.slices()
        tuning, test = new_items(slices.tuning_cases), new_items(slices.cases)
        novel = replace(
            slices,
            tuning_cases=_some(tuning, "before the split, with an item new to its user,"),
            cases=_some(test, "after the split, with an item new to its user,"),
        )
        return self._trial(NEW_ITEMS, novel, False), self._trial(NEXT_ORDER, slices, True)

    def _trial(self, name: str, slices: Slices, repeats: bool) -> "Trial":
        plan = plan_for(slices, repeats, self.release_weight)
        methods = plan.simple() if self.quick else plan.baselines()
        if self.towers is not None:
            methods += plan.towers()
        return Trial(name, slices, plan, try_methods(methods, slices, self.progress))


@dataclass(frozen=True, slots=True)
class Trial:
    """All methods on one target."""

    name: str
    slices: Slices
    plan: Plan
    tried: list[Tried]

    def target(self, seed: int) -> Target:
        """The rows with their intervals."""
        return Scale(self.slices.cases, self.plan.last, seed).target(self.name, self.tried)

    def next_item(self, seed: int) -> Target:
        """The same lists when one random item of each order is the only target."""
        cases = next_items(self.slices.cases, seed)
        scale = Scale(cases, self.plan.last, seed)
        return replace(scale.target(NEXT_ITEM, rejudge(self.tried, cases)), differences=())

    def again_weight(self) -> float | None:
        """Weight of the user's own items of the last n events beside the frozen tower's cosine."""
        for one in self.tried:
            method = one.method
            limited = method.information == self.plan.tower_information
            if one.is_tower and limited and not method.fresh and len(method.terms) == 1:
                return one.choice.weights[0]
        return None


def answer(question: Question, towers_name: str = "none", command: str = "") -> Evaluation:
    """Runs everything: both targets, the next item, the live effect, items without events."""
    log, seed = question.log, question.seed
    novel, repeats = question.trials()
    slices = repeats.slices
    fits = slices.fits
    has_towers = question.towers is not None
    return Evaluation(
        log=log.name,
        events=log.n,
        users=len(log.users),
        items=log.items.n,
        split_s=fits.until_s,
        validation_s=slices.tuning_fits.until_s,
        seed=seed,
        history_length=question.last,
        towers=towers_name,
        targets=(novel.target(seed), repeats.target(seed), repeats.next_item(seed)),
        again_weight=repeats.again_weight(),
        live=live_effect(fits.tower(False), slices.cases, seed) if has_towers else (),
        unseen=unseen_items(_unseen_scorers(fits, novel.plan), fits, slices.cases, seed),
        command=command,
    )


def _some(cases: Cases, what: str) -> Cases:
    if not cases.n:
        raise EvaluationInvalid(f"no order {what} can be a case: evaluate a longer log")
    return cases


def _unseen_scorers(fits: Fits, plan: Plan) -> list[Scorer]:
    scorers: list[Scorer] = [fits.recent(plan.recent_days), fits.rolling(plan.rolling_days)]
    if fits.towers is not None:
        scorers += [fits.tower(fresh) for fresh in (False, True)[: 1 + plan.is_refreshable]]
    return scorers

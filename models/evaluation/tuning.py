"""Choosing a method's variant and weights on the validation slice, before the test is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.evaluation.baselines.fits import Fits
from models.evaluation.cases import Cases
from models.evaluation.metrics import judge, ranked
from models.evaluation.scorers import Blend, Scorer, hide_seen
from service.domain.arrays import Scores

Maker = Callable[[Fits], Scorer]
"""Makes a scorer from what was fitted up to an instant."""

TUNING_DEPTH = 50
SELECTION = ("recall@50", "ndcg@10")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make a method's base score, with the label that reports give it."""

    label: str
    maker: Maker


@dataclass(frozen=True, slots=True)
class Term:
    """A score that may be added, and the weights to try."""

    label: str
    maker: Maker
    grid: tuple[float, ...]

    @property
    def middle(self) -> float:
        return self.grid[len(self.grid) // 2]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the tables before tuning.

    Attributes:
        variants: ways to make the base score, one of which is chosen.
        terms: what is added to it.
        measures: the choice is made by their mean.
    """

    name: str
    information: str
    fresh: bool
    variants: tuple[Variant, ...]
    terms: tuple[Term, ...] = ()
    measures: tuple[str, ...] = SELECTION

    def describe(self, choice: "Choice") -> str:
        """Variant and weights in words."""
        words = [self.variants[choice.variant].label]
        words += [f"{term.label} {w:g}" for term, w in zip(self.terms, choice.weights, strict=True)]
        return ", ".join(word for word in words if word)

    def build(self, fits: Fits, choice: "Choice") -> Blend:
        base = self.variants[choice.variant].maker(fits)
        terms = (term.maker(fits) for term in self.terms)
        weighted = tuple(zip(terms, choice.weights, strict=True))
        return Blend(self.name, self.information, self.fresh, base, weighted)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the validation slice chose.

    Attributes:
        variant: position in the method's variants.
        weights: one per term.
        value: mean of the measures on the validation cases; NaN where nothing was open.
    """

    variant: int = 0
    weights: tuple[float, ...] = ()
    value: float = float("nan")


def tune(method: Method, fits: Fits, cases: Cases) -> Choice:
    """The best variant at middle weights, then the best weights for it; ties go to the first."""
    middle = tuple(term.middle for term in method.terms)
    variant = 0
    if len(method.variants) > 1:
        values = [
            _values(method, method.build(fits, Choice(i, middle)), [middle], cases)[0]
            for i in range(len(method.variants))
        ]
        variant = int(np.argmax(values))
    grid = list(product(*(term.grid for term in method.terms)))
    if len(grid) == 1 and len(method.variants) == 1:
        return Choice(variant, grid[0])
    values = _values(method, method.build(fits, Choice(variant, middle)), grid, cases)
    best = int(np.argmax(values))
    return Choice(variant, grid[best], float(values[best]))


def _values(
    method: Method, blend: Blend, grid: list[tuple[float, ...]], cases: Cases
) -> list[float]:
    """The mean of the method's measures for the blend under each set of weights."""
    totals = np.zeros(len(grid))
    for part in cases.parts():
        base = hide_seen(blend.base.score(cases, part), cases, part)
        extra = [scorer.score(cases, part) for scorer, _ in blend.terms]
        for i, weights in enumerate(grid):
            scores = _mixed(base, extra, weights)
            judged = judge(ranked(scores, TUNING_DEPTH), cases.target_rows(part))
            totals[i] += np.mean([judged.measure(name).sum() for name in method.measures])
    return [float(total) / cases.n for total in totals]


def _mixed(base: Scores, extra: list[Scores], weights: tuple[float, ...]) -> Scores:
    for scores, weight in zip(extra, weights, strict=True):
        base = base + np.float32(weight) * scores
    return base

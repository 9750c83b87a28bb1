"""Every method is tuned on the validation cases and judged on the test cases."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tqdm import tqdm

from models.evaluation.baselines.fits import Fits
from models.evaluation.baselines.popularity import WINDOWS_DAYS
from models.evaluation.cases import Cases
from models.evaluation.methods import TOWER, Plan, window_method
from models.evaluation.metrics import Judged
from models.evaluation.scorers import judge_lists, lists_of
from models.evaluation.tuning import Choice, Method, tune


@dataclass(frozen=True, slots=True)
class Slices:
    """The validation and the test side of one target.

    Attributes:
        tuning_fits: fitted up to where the validation cases begin.
        fits: fitted up to where the test cases begin.
    """

    tuning_fits: Fits
    tuning_cases: Cases
    fits: Fits
    cases: Cases


@dataclass(frozen=True, slots=True)
class Tried:
    """A method with what was chosen for it and how its lists fared."""

    method: Method
    choice: Choice
    judged: Judged

    @property
    def is_tower(self) -> bool:
        return self.method.name.startswith(TOWER)

    @property
    def recall(self) -> float:
        return float(self.judged.measure("recall@50").mean())


def plan_for(slices: Slices, repeats: bool, release_weight: float | None = None) -> Plan:
    """Chooses the popularity windows, which the other methods fall back to.

    Args:
        slices: where to choose.
        repeats: whether items that the user had before are targets too.
        release_weight: the own-items weight of a release, whose vectors cannot be refreshed.
    """
    fits, cases = slices.tuning_fits, slices.tuning_cases
    recent, rolling = (
        WINDOWS_DAYS[tune(window_method(fresh), fits, cases).variant] for fresh in (False, True)
    )
    plan = Plan(repeats, slices.fits.last, recent, rolling)
    if release_weight is None:
        return plan
    return replace(plan, own_weights=(release_weight,), is_refreshable=False)


def try_methods(methods: Iterable[Method], slices: Slices, progress: bool) -> list[Tried]:
    """Tunes, builds and judges each method; frozen rows first."""
    ordered = sorted(methods, key=lambda method: method.fresh)
    tried = []
    for method in tqdm(ordered, "methods", disable=not progress, leave=False):
        choice = tune(method, slices.tuning_fits, slices.tuning_cases)
        lists = lists_of(method.build(slices.fits, choice), slices.cases)
        tried.append(Tried(method, choice, judge_lists(lists, slices.cases)))
    return tried


def rejudge(tried: list[Tried], cases: Cases) -> list[Tried]:
    """The same lists against other targets of the same cases."""
    return [replace(one, judged=judge_lists(one.judged.lists, cases)) for one in tried]

"""Two questions beside the tables: the running order shown, and items without events."""

import numpy as np

from models.evaluation.baselines.fits import Fits
from models.evaluation.cases import Cases, keep_targets
from models.evaluation.metrics import Estimate, Judged, UserBootstrap, join, judge, ranked
from models.evaluation.protocols import live_orders
from models.evaluation.results import LiveStep, Unseen, UnseenItems
from models.evaluation.scorers import Scorer, judge_lists, lists_of
from service.domain.arrays import Mask, Rows

LIVE_SHOWN = (0, 1, 3, 5)
LIVE_MEASURES = ("recall@50", "ndcg@10")
AMONG_MEASURES = ("recall@10", "recall@50")


def live_effect(scorer: Scorer, cases: Cases, seed: int) -> tuple[LiveStep, ...]:
    """Recall of the rest of big orders after 0, 1, 3 and 5 of their lines were seen.

    Args:
        scorer: frozen, so that nothing but the shown lines changes.
        cases: next orders with repeats; those of ten and more lines are used.
        seed: of the shown lines and of the intervals.
    """
    steps: list[LiveStep] = []
    nothing: Judged | None = None
    for shown in LIVE_SHOWN:
        live = live_orders(cases, shown, seed)
        if not live.n:
            return ()
        judged = judge_lists(lists_of(scorer, live), live)
        nothing = judged if nothing is None else nothing
        draws = UserBootstrap(live.user, seed)
        values = {name: judged.measure(name) for name in LIVE_MEASURES}
        before = {name: nothing.measure(name) for name in LIVE_MEASURES}
        steps.append(
            LiveStep(
                shown,
                live.n,
                {name: draws.estimate(values[name]) for name in LIVE_MEASURES},
                {name: draws.difference(values[name], before[name]) for name in LIVE_MEASURES},
            )
        )
    return tuple(steps)


def unseen_items(scorers: list[Scorer], fits: Fits, cases: Cases, seed: int) -> UnseenItems:
    """How items without any event before the split are found, in all and among themselves."""
    log = fits.log
    unseen = np.ones(log.items.n, dtype=np.bool_)
    unseen[log.item[log.at_s < fits.until_s]] = False
    cases = keep_targets(cases, unseen[cases.targets])
    if not cases.n:
        return UnseenItems(int(unseen.sum()), 0, ())
    draws = UserBootstrap(cases.user, seed)
    rows = tuple(_unseen_row(scorer, cases, unseen, draws) for scorer in scorers)
    return UnseenItems(int(unseen.sum()), cases.n, rows)


def _unseen_row(scorer: Scorer, cases: Cases, unseen: Mask, draws: UserBootstrap) -> Unseen:
    overall: Estimate = draws.estimate(
        judge_lists(lists_of(scorer, cases), cases).measure("recall@50")
    )
    rows = np.flatnonzero(unseen).astype(np.int64)
    among = join([_among(scorer, cases, part, rows) for part in cases.parts()])
    measures = {name: draws.estimate(among.measure(name)) for name in AMONG_MEASURES}
    return Unseen(scorer.name, scorer.fresh, overall, measures)


def _among(scorer: Scorer, cases: Cases, part: slice, rows: Rows) -> Judged:
    scores = np.ascontiguousarray(scorer.score(cases, part)[:, rows])
    found = rows[ranked(scores)].astype(np.int32)
    return judge(found, cases.target_rows(part))

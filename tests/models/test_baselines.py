"""Each baseline on a log of a few orders, with the ranking it must give beside it."""

import numpy as np
import pytest

from models.evaluation.baselines import popularity
from models.evaluation.baselines.ease import Ease, fit_ease
from models.evaluation.baselines.fits import Fits
from models.evaluation.baselines.knn import ItemKnn, item_similarities
from models.evaluation.baselines.own_history import OwnItems, OwnThenPopular
from models.evaluation.baselines.states import Weighting, history_matrix
from models.evaluation.cases import Cases
from models.evaluation.methods import Plan
from models.evaluation.protocols import new_items, next_orders
from models.evaluation.scorers import Blend, Scorer, lists_of
from models.evaluation.tuning import Choice, Method, Term, Variant, tune
from models.interactions import Log
from tests.logs import DAY_S, START_S, make_log

DAY_20_S = START_S + 20 * DAY_S
LOG = make_log(
    [
        ("ann", "a b", "purchase", 0),
        ("bob", "a b", "purchase", 1),
        ("cid", "a c", "purchase", 2),
        ("dan", "d e", "purchase", 10),
        ("eve", "d e", "purchase", 18),
        ("fay", "d", "return", 18),
        ("fay", "b", "purchase", 19),
        # what is to be guessed
        ("fay", "a f", "purchase", 20),
        ("gus", "e", "purchase", 20.5),
        ("fay", "c", "purchase", 21.5),
    ]
)


@pytest.fixture
def cases() -> Cases:
    """Case 0: fay knows b, and returned d. Case 1: gus knows nothing. Case 2: fay again."""
    return next_orders(LOG, DAY_20_S)


def rankings(scorer: Scorer, cases: Cases, n: int = 6) -> list[str]:
    return ["".join(LOG.items.ids[row] for row in rows[:n]) for rows in lists_of(scorer, cases)]


def test_popularity_counts_positive_events_before_the_instant(cases: Cases) -> None:
    everything = popularity.all_time(LOG, DAY_20_S)  # a 3, b 3, d 2, e 2, c 1, f 0
    assert rankings(everything, cases) == ["abdecf"] * 3


def test_recent_popularity_counts_its_window_only(cases: Cases) -> None:
    assert rankings(popularity.recent(LOG, DAY_20_S, 3), cases, 3) == ["bde"] * 3


def test_rolling_popularity_sees_whole_days_before_the_case(cases: Cases) -> None:
    rolling = popularity.rolling(LOG, 2)
    # days 18, 19: b, d, e. The third case also sees day 20: a, e, f; day 19: b.
    assert rankings(rolling, cases, 4) == ["bdea", "bdea", "abef"]


def test_own_history_goes_by_count_then_popularity_and_ends_with_the_popular(cases: Cases) -> None:
    popular = popularity.all_time(LOG, DAY_20_S)
    assert rankings(OwnThenPopular(None, popular), cases) == ["badecf", "abdecf", "abfdec"]
    assert rankings(OwnThenPopular(1, popular), cases) == ["badecf", "abdecf", "fabdec"]


def test_own_items_score_their_share_of_the_largest_count() -> None:
    log = make_log(
        [("ann", "a b", "purchase", 0), ("ann", "a", "purchase", 1), ("ann", "c", "purchase", 2)]
    )
    case = next_orders(log, START_S + 2 * DAY_S)
    scores = OwnItems(None).score(case, slice(0, 1))
    assert scores[0].tolist() == [1.0, 0.5, 0, 0, 0, 0]


def test_similarity_is_a_shrunk_cosine() -> None:
    similar = item_similarities(LOG, DAY_20_S, "users").toarray()
    a, b, c = 0, 1, 2
    assert similar[a, b] == pytest.approx(2 / (np.sqrt(3 * 3) + 10))  # ann and bob; fay has b only
    assert similar[a, c] == similar[c, a] == pytest.approx(1 / (np.sqrt(3 * 1) + 10))
    assert similar[b, c] == similar[a, a] == 0


def test_neighbours_recommend_what_goes_with_the_history(cases: Cases) -> None:
    popular = popularity.all_time(LOG, DAY_20_S)
    knn = ItemKnn(item_similarities(LOG, DAY_20_S, "orders"), 20, popular)
    # b leads to a; the rest has no similarity and goes by popularity; gus falls back to it.
    assert rankings(knn, cases)[:2] == ["abdecf", "abdecf"]
    assert rankings(knn, new_items(cases), 4)[0] == "aecf"  # b and d were touched before


def test_recency_weights_favour_the_newest_event() -> None:
    log = make_log([("ann", "a", "view", 0), ("ann", "b", "view", 30), ("ann", "c", "view", 60)])
    case = next_orders(log, START_S + 60 * DAY_S)
    part = slice(0, 1)
    by_age = history_matrix(case, part, 20, Weighting("age", half_life_days=30.0)).toarray()
    by_position = history_matrix(case, part, 20, Weighting("position")).toarray()
    assert by_age[0, :3] == pytest.approx([0.25, 0.5, 0])
    assert by_position[0, :3] == pytest.approx([0.9, 1.0, 0])


def test_ease_agrees_with_its_closed_form() -> None:
    fitted = fit_ease(LOG, DAY_20_S, 1.0)
    assert fitted.rows.tolist() == [0, 1, 3, 4]  # c and f have fewer than two buyers
    bought = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    bought = np.vstack([bought, [0, 1, 0, 0]])
    inverse = np.linalg.inv(bought.T @ bought + np.eye(4))
    expected = np.eye(4) - inverse / np.diag(inverse)
    assert fitted.weights == pytest.approx(expected, abs=1e-6)


def test_ease_recommends_what_goes_with_the_history(cases: Cases) -> None:
    ease = Ease(fit_ease(LOG, DAY_20_S, 1.0), 20, popularity.all_time(LOG, DAY_20_S))
    assert rankings(ease, cases, 1)[:2] == ["a", "a"]
    assert ease.score(cases, slice(0, 1))[0, 0] == pytest.approx(1.0)


def test_time_decay_weakens_old_pairs() -> None:
    plain = fit_ease(LOG, DAY_20_S, 1.0)
    decayed = fit_ease(LOG, DAY_20_S, 1.0, half_life_days=5.0)
    a, b, d, e = range(4)
    assert plain.weights[a, b] == pytest.approx(plain.weights[d, e], abs=0.2)
    assert decayed.weights[d, e] > 4 * decayed.weights[a, b]


def test_a_blend_adds_weighted_scores(cases: Cases) -> None:
    popular = popularity.all_time(LOG, DAY_20_S)
    blend = Blend("both", "all history", False, popular, ((OwnItems(None), 0.5),))
    part = slice(0, 1)
    expected = popular.score(cases, part) + 0.5 * OwnItems(None).score(cases, part)
    assert blend.score(cases, part) == pytest.approx(expected)


def test_tuning_takes_the_variant_and_weight_that_rank_the_targets_first() -> None:
    log = make_log([(f"u{i}", "b", "purchase", i) for i in range(4)] + [("ann", "a", "view", 5)])
    fits = Fits(log, START_S + 4 * DAY_S)
    cases = next_orders(log, START_S + 5 * DAY_S)  # ann wants a, everyone else had b

    class Liking:
        name, information, fresh = "liking", "nothing", False

        def __init__(self, row: int) -> None:
            self.row = row

        def score(self, cases: Cases, part: slice) -> np.ndarray:  # type: ignore[type-arg]
            scores = np.zeros((part.stop - part.start, cases.log.items.n), np.float32)
            scores[:, self.row] = 1.0
            return scores

    variants = tuple(Variant(f"row {row}", lambda _, row=row: Liking(row)) for row in (1, 0, 2))
    terms = (Term("popularity", lambda fits: fits.all_time(), (0.0, 0.5, 2.0)),)
    method = Method("test", "nothing", False, variants, terms)
    assert tune(method, fits, cases) == Choice(1, (0.0,), 1.0)
    assert method.describe(Choice(1, (0.5,))) == "row 0, popularity 0.5"


def perturbed(log: Log, from_s: int) -> Log:
    """The same log with everything from an instant on turned into other items."""
    later = log.at_s >= from_s
    item = np.where(later, (log.item + 1) % log.items.n, log.item).astype(np.int32)
    columns = {name: getattr(log, name) for name in Log.__slots__}
    return Log(**(columns | {"item": item}))


@pytest.mark.parametrize("repeats", [True, False])
def test_nothing_of_the_future_reaches_any_baseline(repeats: bool) -> None:
    first_case_s = int(next_orders(LOG, DAY_20_S).start_s[0])
    other = perturbed(LOG, first_case_s)
    plan = Plan(repeats, 20, 3, 3)
    for method in plan.baselines():
        choice = Choice(0, tuple(term.middle for term in method.terms))
        scores = [
            method.build(Fits(log, DAY_20_S), choice).score(next_orders(log, DAY_20_S), slice(0, 1))
            for log in (LOG, other)
        ]
        assert (scores[0] == scores[1]).all(), method.name

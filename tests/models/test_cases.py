"""Which orders of a small log become cases, what is known then, and what is to be guessed."""

import numpy as np
import pytest

from models.evaluation.cases import Cases, segment_masks
from models.evaluation.protocols import live_orders, new_items, next_items, next_orders, sample
from tests.logs import DAY_S, START_S, make_log

LOG = make_log(
    [
        ("ann", "a b", "purchase", 0),
        ("bob", "c", "purchase", 1),
        ("ann", "a", "return", 2),
        # the split: day 3
        ("ann", "b c", "purchase", 3),
        ("ann", "d", "return", 4),  # no positive: not a case, but part of the past
        ("cid", "e a", "purchase", 5),
        ("ann", "a b", "purchase", 6),  # nothing new to ann
        ("ann", "e", "purchase", 7),
        ("ann", "f", "purchase", 8),  # her fourth order: not a case
    ]
)
SPLIT_S = START_S + 3 * DAY_S


def names(rows: np.ndarray) -> str:  # type: ignore[type-arg]
    return " ".join(LOG.items.ids[row] for row in rows)


def table(cases: Cases) -> list[tuple[str, float, str, str]]:
    """User, day, past and targets of each case."""
    every = slice(0, cases.n)
    past = cases.past(every, None)
    return [
        (
            LOG.users[cases.user[i]],
            (cases.start_s[i] - START_S) / DAY_S,
            names(past.row[past.case == i]),
            names(cases.target_rows(every)[i]),
        )
        for i in range(cases.n)
    ]


def test_a_case_is_one_of_the_first_three_orders_with_a_positive_after_the_split() -> None:
    assert table(next_orders(LOG, SPLIT_S)) == [
        ("ann", 3.0, "a b a", "b c"),
        ("cid", 5.0, "", "a e"),
        ("ann", 6.0, "a b a b c d", "a b"),
        ("ann", 7.0, "a b a b c d a b", "e"),
    ]


def test_cases_end_where_the_period_ends() -> None:
    cases = next_orders(LOG, START_S, SPLIT_S)
    assert table(cases) == [("ann", 0.0, "", "a b"), ("bob", 1.0, "", "c")]


def test_new_items_are_those_never_touched_and_cases_without_any_are_dropped() -> None:
    cases = new_items(next_orders(LOG, SPLIT_S))
    assert cases.only_new
    assert table(cases) == [
        ("ann", 3.0, "a b a", "c"),
        ("cid", 5.0, "", "a e"),
        ("ann", 7.0, "a b a b c d a b", "e"),
    ]


def test_the_next_item_is_one_of_the_order() -> None:
    orders = next_orders(LOG, SPLIT_S)
    single = next_items(orders, seed=1)
    every = slice(0, orders.n)
    for one, several in zip(single.target_rows(every), orders.target_rows(every), strict=True):
        assert len(one) == 1
        assert one[0] in several


@pytest.mark.parametrize(("last", "past"), [(1, "d"), (3, "b c d"), (20, "a b a b c d")])
def test_a_limited_method_sees_the_newest_events(last: int, past: str) -> None:
    cases = next_orders(LOG, SPLIT_S)
    known = cases.past(slice(2, 3), last)
    assert names(known.row) == past
    assert known.newest.tolist() == list(range(len(past.split())))[::-1]


def test_a_history_carries_rows_types_and_times() -> None:
    history = next_orders(LOG, SPLIT_S).histories(slice(0, 2), 20)
    assert names(history[0].rows) == "a b a"
    assert history[0].action_types.tolist() == [0, 0, 4]
    assert ((history[0].at_s - START_S) / DAY_S).tolist() == [0, 0, 2]
    assert len(history[1]) == 0


def test_segments_go_by_the_number_of_earlier_events() -> None:
    masks = segment_masks(next_orders(LOG, SPLIT_S))
    assert {name: mask.sum() for name, mask in masks.items()} == {
        "new": 1,
        "sparse": 1,
        "casual": 2,
        "power": 0,
    }


def test_a_sample_keeps_the_order_and_is_seeded() -> None:
    cases = next_orders(LOG, SPLIT_S)
    drawn = sample(cases, 2, seed=1)
    assert drawn.n == 2
    assert table(drawn) == table(sample(cases, 2, seed=1))
    assert set(table(drawn)) < set(table(cases))
    assert sample(cases, 9, seed=1) is cases


LETTERS = "a b c d e f g h i j k l"
BIG = make_log(
    [("ann", "a", "view", 0), ("ann", LETTERS, "purchase", 1), ("bob", "a b", "purchase", 2)], 12
)


@pytest.mark.parametrize("shown", [0, 1, 3, 5])
def test_shown_lines_are_a_minute_old_and_never_targets(shown: int) -> None:
    live = live_orders(next_orders(BIG, START_S + DAY_S // 2), shown, seed=1)
    assert live.n == 1  # bob's order is too small
    past = live.past(slice(0, 1), None)
    assert len(past.row) == 1 + shown
    assert past.age_s[1:].tolist() == [60.0] * shown
    assert BIG.action[0] == 3  # a view is positive, but what is shown are purchases
    assert past.action[1:].tolist() == [0] * shown
    targets = live.target_rows(slice(0, 1))[0]
    assert len(targets) == 12 - 5
    assert not set(past.row[1:]) & set(targets)


def test_targets_are_the_same_however_many_lines_are_shown() -> None:
    cases = next_orders(BIG, START_S + DAY_S // 2)
    none, five = live_orders(cases, 0, seed=1), live_orders(cases, 5, seed=1)
    assert none.targets.tolist() == five.targets.tolist()

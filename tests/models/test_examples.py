"""Training examples and batches: nothing of the order or later in the state, targets as said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.interactions import Log, read_log
from models.networks.encoders import GENERIC_NEGATIVE, GENERIC_POSITIVE
from models.recipes import Dataset, Recipe
from models.training.batches import GENERIC, count_batches, epoch_batches, make_batch, plan
from models.training.examples import Examples, Stream, make_examples
from service.domain.actions import ACTIONS
from tests.shop import make_shop, write

DAY_S = 86_400
AT_S = 1_600_000_000
PLAIN = Recipe(type_dropout=0.0, half_order_share=0.0)
EVENTS = "user_id,item_id,event_type,timestamp,session_id"


@pytest.fixture
def shop(tmp_path: Path) -> Log:
    return read_log(make_shop(tmp_path), Dataset("shop"))


@pytest.fixture
def small(tmp_path: Path) -> Log:
    """User a: order 1 (i0, i1), a return of i0, order 2 (i2); user b: order 3 (i0)."""
    rows = [
        ("a", "i0", "purchase", AT_S, "1"),
        ("a", "i1", "purchase", AT_S, "1"),
        ("b", "i0", "purchase", AT_S + DAY_S, "3"),
        ("a", "i0", "return", AT_S + DAY_S, "r"),
        ("a", "i2", "purchase", AT_S + 9 * DAY_S, "2"),
    ]
    write(tmp_path / "events.csv", EVENTS, list(rows))
    write(tmp_path / "items.csv", "item_id,title", [(f"i{i}", f"Item {i}") for i in range(3)])
    return read_log(tmp_path, Dataset("small"))


def examples_of(log: Log, recipe: Recipe = PLAIN, until_s: int = 2**31) -> tuple[Examples, Stream]:
    stream = Stream.of(log, until_s)
    return make_examples(log, stream, recipe, until_s), stream


def test_one_example_per_order_with_a_positive(small: Log) -> None:
    examples, _ = examples_of(small)
    assert examples.n == 3
    assert examples.user.tolist() == [0, 0, 1]
    assert examples.own.tolist() == [2, 1, 1]


def test_following_orders_are_in_the_target_with_half_the_weight(small: Log) -> None:
    examples, _ = examples_of(small)
    first = slice(*examples.starts[:2])
    assert examples.items[first].tolist() == [0, 1, 2]
    np.testing.assert_allclose(examples.shares[first], [0.4, 0.4, 0.2])
    assert examples.n_targets.tolist() == [3, 1, 1]
    alone, _ = examples_of(small, replace(PLAIN, following_orders=0))
    assert alone.n_targets.tolist() == [2, 1, 1]


def test_orders_after_the_end_are_neither_examples_nor_targets(small: Log) -> None:
    examples, stream = examples_of(small, until_s=AT_S + 5 * DAY_S)
    assert examples.n == 2
    assert 2 not in examples.items
    assert len(stream.rows) == 4


def test_the_state_is_what_came_strictly_before(small: Log) -> None:
    examples, stream = examples_of(small)
    picked = np.arange(3)
    batch = make_batch(examples, stream, PLAIN, picked, np.random.default_rng(1))
    assert batch.item_rows[:, -3:].tolist() == [[0, 0, 0], [1, 2, 1], [0, 0, 0]]
    purchase, returned = ACTIONS.index("purchase") + 1, ACTIONS.index("return") + 1
    assert batch.action_types[1, -3:].tolist() == [purchase, purchase, returned]
    assert batch.ages_s[1, -3:].tolist() == [9 * DAY_S, 9 * DAY_S, 8 * DAY_S]


def test_older_examples_and_smaller_orders_weigh_less(small: Log) -> None:
    until_s = AT_S + 9 * DAY_S + 1
    recipe = replace(PLAIN, half_life_days=9.0, targets_power=1.0)
    examples, _ = examples_of(small, recipe, until_s)
    assert examples.weight.mean() == pytest.approx(1)
    assert examples.weight[0] == pytest.approx(examples.weight[1], rel=1e-4)  # 2 items * 1/2 = 1


def test_no_state_of_the_shop_holds_its_own_order_or_later(shop: Log) -> None:
    examples, stream = examples_of(shop)
    for i in range(examples.n):
        history = stream.history(examples.user[i], int(examples.before[i]), 1000)
        assert (history.at_s < examples.at_s[i]).all()
        mine = (shop.user == examples.user[i]) & (shop.at_s < examples.at_s[i])
        assert len(history) == mine.sum()


def test_an_epoch_visits_each_example_once_and_never_mixes_buckets(shop: Log) -> None:
    examples, _ = examples_of(shop)
    batches = plan(examples.bucket, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(examples.n))
    assert all(len(np.unique(examples.bucket[batch])) == 1 for batch in batches)
    assert len(batches) == count_batches(examples.bucket, 16)


def test_the_same_seed_gives_the_same_epoch(shop: Log) -> None:
    examples, stream = examples_of(shop)
    recipe = Recipe(batch_size=64)
    one, two = (
        list(epoch_batches(examples, stream, recipe, np.random.default_rng(7))) for _ in range(2)
    )
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left.item_rows, right.item_rows)
        np.testing.assert_array_equal(left.item, right.item)


def test_a_half_filled_order_moves_lines_from_the_target_to_the_history(shop: Log) -> None:
    recipe = replace(PLAIN, half_order_share=0.999999, following_orders=0)
    examples, stream = examples_of(shop, recipe)
    picked = np.flatnonzero(examples.bucket == examples.bucket[0])
    batch = make_batch(examples, stream, recipe, picked, np.random.default_rng(1))
    for place, i in enumerate(picked):
        fresh = (batch.ages_s[place] < 200) & (batch.item_rows[place] > 0)
        moved = set((batch.item_rows[place][fresh] - 1).tolist())
        left = set(batch.item[batch.example == place].tolist())
        whole = set(examples.items[examples.starts[i] : examples.starts[i + 1]].tolist())
        assert moved and left
        assert not moved & left
        assert moved | left == whole
        assert batch.share[batch.example == place].sum() == pytest.approx(1)


def test_type_dropout_keeps_the_sign_and_leaves_padding_alone(small: Log) -> None:
    recipe = replace(PLAIN, type_dropout=0.999999)
    examples, stream = examples_of(small, recipe)
    batch = make_batch(examples, stream, recipe, np.arange(3), np.random.default_rng(1))
    expected = [GENERIC_POSITIVE, GENERIC_POSITIVE, GENERIC_NEGATIVE]
    assert batch.action_types[1, -3:].tolist() == expected
    assert set(batch.action_types[0].tolist()) == {0}
    assert GENERIC[0] == 0

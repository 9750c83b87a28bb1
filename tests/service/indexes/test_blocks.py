"""Blocks: what is expected of them before they are looked at, and how far that can be trusted."""

import math

import numpy as np
import pytest

from models.build_index import row_order
from service.domain.arrays import Vectors
from service.indexes.blocks import Blocks, _above
from service.indexes.exact import best
from service.indexes.passing import Passing
from tests.service.indexes.test_contract import unit_vectors

N = 20_000


def found_share(blocks: Blocks, queries: Vectors, passing: Passing) -> float:
    """The share of the hundred nearest passing items that is found."""
    everything = np.ones(blocks.n_padded, dtype=np.bool_)
    rows, found = passing.rows, []
    for query in queries:
        true = rows[best(blocks.vectors[rows] @ query, 100)[0]]
        plan = blocks.plan(blocks.means(query), 100, passing, 1.0)
        near, _ = blocks.nearest(query, 100, passing, everything, plan)
        found.append(np.isin(true, near).mean())
    return float(np.mean(found))


@pytest.mark.parametrize("z", [-3.0, -1.0, -0.2, 0.0, 0.5, 2.0, 3.5])
def test_the_share_above_a_score_is_that_of_the_normal_distribution(z: float) -> None:
    one = np.ones(1, dtype=np.float32)
    exact = math.erfc(z / math.sqrt(2.0)) / 2.0
    assert float(_above(1.0 + z, one, one)[0]) == pytest.approx(exact, rel=0.2, abs=2e-4)


def test_blocks_whose_items_are_all_alike_are_all_or_nothing() -> None:
    means = np.array([0.1, 0.9], dtype=np.float32)
    with np.errstate(all="raise"):
        shares = _above(0.5, means, np.full(2, 1e-4, dtype=np.float32))
    assert shares == pytest.approx([0.0, 1.0], abs=1e-6)


def test_most_near_items_are_found_without_looking_at_all_blocks() -> None:
    vectors = unit_vectors(N, 8)
    vectors = vectors[row_order(vectors, ["one"] * N)]
    blocks, queries = Blocks(vectors), unit_vectors(40, 8, 3)
    blocks.calibrate(queries[:20], 0.95)
    passing = Passing(np.random.default_rng(1).random(N) < 0.2)
    assert found_share(blocks, queries[20:], passing) >= 0.93
    plan = blocks.plan(blocks.means(queries[0]), 100, passing, 1.0)
    assert plan.n_rows < passing.count / 2


def test_users_along_whom_items_vary_more_are_looked_for_further() -> None:
    """Vectors that use few of their dimensions: the mean spread is none of those that matter."""
    vectors = np.zeros((N, 64), dtype=np.float32)
    vectors[:, :4] = unit_vectors(N, 4)
    blocks, queries = Blocks(vectors), vectors[::500]
    passing = Passing(np.random.default_rng(1).random(N) < 0.1)
    before = found_share(blocks, queries[20:], passing)
    blocks.calibrate(queries[:20], 0.95)
    after = found_share(blocks, queries[20:], passing)
    assert before < 0.9
    assert after >= 0.94

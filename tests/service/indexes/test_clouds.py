"""Clouds: what is expected of blocks before they are looked at, and how far that can be trusted."""

import math

import numpy as np
import pytest

from service.domain.arrays import Vectors
from service.indexes.clouds import FEWEST_BLOCKS, Clouds, _share_above
from service.indexes.passing import BLOCK_ROWS, Passing
from tests.service.indexes.test_contract import unit_vectors

N_BLOCKS, DIM = 200, 32
N = N_BLOCKS * BLOCK_ROWS


def clustered(seed: int = 0) -> Vectors:
    """One cloud for each block, in twenty groups of ten."""
    rng = np.random.default_rng(seed)
    groups = rng.standard_normal((20, DIM)).repeat(10, axis=0)
    centres = (groups + 0.8 * rng.standard_normal((N_BLOCKS, DIM))).repeat(BLOCK_ROWS, axis=0)
    vectors = centres + 0.9 * rng.standard_normal((N, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("z", [-3.0, -1.0, -0.2, 0.0, 0.5, 2.0, 3.5])
def test_the_share_above_a_score_is_that_of_the_normal_distribution(z: float) -> None:
    exact = math.erfc(z / math.sqrt(2.0)) / 2.0
    share = float(_share_above(np.array([z], dtype=np.float32))[0])
    assert share == pytest.approx(exact, rel=0.2, abs=2e-4)


def test_far_from_everything_and_near_to_everything_is_no_overflow() -> None:
    with np.errstate(over="raise", invalid="raise"):
        shares = _share_above(np.array([-1e4, 1e4], dtype=np.float32))
    assert shares == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_as_many_are_expected_as_there_are(share: float) -> None:
    """For those who like a cloud, and for those who like none in particular."""
    vectors = clustered()
    clouds, passing = Clouds(vectors), Passing(np.random.default_rng(1).random(N) < share)
    ratios = []
    for query in (*vectors[::2000], *unit_vectors(20, DIM, 5)):
        plan = clouds.plan(clouds.centres @ query, 100.0, passing, 1.0)
        assert plan is not None
        near = np.flatnonzero(vectors @ query >= plan.floor)
        near = near[passing.at(near)]
        ratios.append(len(near) / 100.0)
        missed = np.mean(~np.isin(near // BLOCK_ROWS, plan.blocks))
        assert missed < 0.15
        assert FEWEST_BLOCKS <= len(plan.blocks) <= N_BLOCKS
        assert (np.diff(plan.blocks) > 0).all()
    assert 0.7 < np.median(ratios) < 1.4


def test_only_blocks_that_hold_something_are_planned() -> None:
    vectors = clustered()
    mask = np.zeros(N, dtype=np.bool_)
    mask[: 100 * BLOCK_ROWS : 2] = True
    clouds = Clouds(vectors)
    plan = clouds.plan(clouds.centres @ vectors[-1], 50.0, Passing(mask), 1.0)
    assert plan is not None
    assert plan.blocks.max() < 100


def test_there_is_no_plan_for_more_than_there_is() -> None:
    vectors = clustered()
    clouds, passing = Clouds(vectors), Passing(np.arange(N) % 500 == 0)
    assert clouds.plan(clouds.centres @ vectors[0], 1000.0, passing, 1.0) is None
    assert clouds.plan(clouds.centres @ vectors[0], 10.0, passing, 0.01) is None


def test_the_scale_is_learnt_where_vectors_use_few_of_their_directions() -> None:
    vectors = np.zeros((N, 64), dtype=np.float32)
    vectors[:, :4] = unit_vectors(N, 4)
    vectors = vectors[np.argsort(vectors[:, 0], kind="stable")]
    clouds, passing = Clouds(vectors), Passing(np.ones(N, dtype=np.bool_))
    queries = vectors[:: N // 40]
    floors = [float(np.sort(vectors @ query)[-100]) for query in queries]
    clouds.fit(queries, floors, passing, 100)
    assert clouds.scale > 1.5


def test_blocks_whose_items_are_all_alike_are_all_or_nothing() -> None:
    vectors = unit_vectors(3, DIM).repeat(BLOCK_ROWS, axis=0)
    clouds, passing = Clouds(vectors), Passing(np.ones(len(vectors), dtype=np.bool_))
    with np.errstate(all="raise", under="ignore"):
        plan = clouds.plan(clouds.centres @ vectors[0], 50.0, passing, 1.0)
    assert plan is not None
    assert 0 in plan.blocks

"""Blocks: most of what is nearest is found, and little is looked at for it."""

import numpy as np
import pytest

from models.building.row_order import row_order
from service.domain.arrays import Mask, Vectors
from service.indexes import blocks as module
from service.indexes.blocks import Blocks
from service.indexes.exact import best
from service.indexes.passing import Passing
from tests.service.indexes.test_contract import unit_vectors

N = 40_000


def found_share(blocks: Blocks, queries: Vectors, passing: Passing, available: Mask) -> float:
    """The share of the hundred nearest that pass and are available that is found."""
    share, found = float(available[: len(blocks.vectors)].mean()), []
    rows = passing.rows[available[passing.rows]]
    for query in queries:
        true = rows[best(blocks.vectors[rows] @ query, 100)[0]]
        near, scores = blocks.nearest(query, 100, passing, available, share, blocks.means(query))
        assert len(set(near.tolist())) == len(near)
        assert passing.at(near).all()
        assert scores == pytest.approx(blocks.vectors[near] @ query, abs=1e-5)
        assert np.count_nonzero(available[near]) >= min(100, len(rows))
        found.append(np.isin(true, near).mean())
    return float(np.mean(found))


def ordered(dim: int) -> Blocks:
    vectors = unit_vectors(N, dim)
    return Blocks(vectors[row_order(vectors, ["one"] * N)])


@pytest.mark.parametrize("share", [1.0, 0.6, 0.2])
@pytest.mark.parametrize("dim", [8, 32])
def test_most_of_what_is_nearest_is_found(dim: int, share: float) -> None:
    blocks, queries = ordered(dim), unit_vectors(40, dim, 3)
    blocks.calibrate(queries[:20], 0.95)
    passing = Passing(np.random.default_rng(1).random(N) < share)
    everything = np.ones(blocks.n_padded, dtype=np.bool_)
    assert found_share(blocks, queries[20:], passing, everything) >= 0.94


def test_little_is_scored_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, queries = ordered(8), unit_vectors(40, 8, 3)
    blocks.calibrate(queries[:20], 0.95)
    passing = Passing(np.random.default_rng(1).random(N) < 0.5)
    everything, scored = np.ones(blocks.n_padded, dtype=np.bool_), []
    score = module.gathered_scores

    def counted(vectors: Vectors, rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
        scored.append(len(rows))
        return score(vectors, rows, vector)

    monkeypatch.setattr(module, "gathered_scores", counted)
    for query in queries[20:]:
        blocks.nearest(query, 100, passing, everything, 1.0, blocks.means(query))
    assert np.sum(scored) / 20 < passing.count / 10


@pytest.mark.parametrize("count", [150, 5000, 30_000])
def test_what_is_sold_out_takes_no_place(count: int) -> None:
    """Nine of ten items; also where everything that can be bought is fewer than asked for."""
    blocks, queries = ordered(8), unit_vectors(10, 8, 3)
    blocks.calibrate(queries, 0.95)
    rng = np.random.default_rng(2)
    available = np.zeros(blocks.n_padded, dtype=np.bool_)
    available[:N] = rng.random(N) < 0.1
    passing = Passing(np.isin(np.arange(N), rng.choice(N, count, replace=False)))
    assert found_share(blocks, queries, passing, available) >= 0.93


def test_where_plans_find_too_few_everything_is_looked_at() -> None:
    """All items look to one side; whoever looks to the other finds them where none is expected."""
    blocks = ordered(8)
    passing = Passing(blocks.vectors[:, 0] > 0.5)
    everything = np.ones(blocks.n_padded, dtype=np.bool_)
    away = -np.eye(8, dtype=np.float32)[:1]
    assert found_share(blocks, away, passing, everything) >= 0.9


def test_users_along_whom_items_vary_more_are_looked_for_further() -> None:
    """Vectors that use few of their dimensions: the mean spread is none of those that matter."""
    vectors = np.zeros((N, 64), dtype=np.float32)
    vectors[:, :4] = unit_vectors(N, 4)
    vectors = vectors[row_order(vectors, ["one"] * N)]
    blocks, queries = Blocks(vectors), vectors[::1000]
    passing = Passing(np.random.default_rng(1).random(N) < 0.5)
    everything = np.ones(blocks.n_padded, dtype=np.bool_)
    before = found_share(blocks, queries[20:], passing, everything)
    blocks.calibrate(queries[:20], 0.95)
    after = found_share(blocks, queries[20:], passing, everything)
    assert after >= 0.95
    assert before < after

"""Signs: what two bits for each direction tell of a score."""

import numpy as np
import pytest

from service.domain.arrays import Scores, Vectors
from service.indexes.signs import FEW, TWO_BITS, Signs
from tests.service.indexes.test_contract import unit_vectors

BLOCK_ROWS, N_BLOCKS = 128, 40


def clouds(dim: int, n: int = N_BLOCKS * BLOCK_ROWS) -> tuple[Vectors, Vectors, Scores]:
    """Vectors around the centres of their blocks, those centres, and how far they are spread."""
    rng = np.random.default_rng(3)
    centres = unit_vectors(N_BLOCKS, dim)
    off = rng.standard_normal((n, dim)) * 0.7 / np.sqrt(dim)
    vectors = centres.repeat(BLOCK_ROWS, axis=0)[:n] + off
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    parts = np.split(vectors, range(BLOCK_ROWS, n, BLOCK_ROWS))
    means = np.array([part.mean(axis=0) for part in parts])
    spread = np.array([part.std(axis=0).mean() for part in parts], dtype=np.float32)
    return vectors, means, spread


@pytest.mark.parametrize("dim", [8, 64, 100, 130])
def test_bits_tell_of_scores_what_quantisers_of_two_bits_can(dim: int) -> None:
    vectors, means, spread = clouds(dim)
    signs, rows = Signs(vectors, means, spread, BLOCK_ROWS), np.arange(len(vectors))
    told, true = [], []
    for vector in unit_vectors(20, dim, 9):
        above = (vectors - means.repeat(BLOCK_ROWS, axis=0)) @ vector
        true.append(above / spread.repeat(BLOCK_ROWS))
        told.append(signs.told(rows, signs.query(vector)))
    assert np.corrcoef(np.ravel(told), np.ravel(true))[0, 1] >= TWO_BITS - 0.05
    slope = np.vdot(told, true) / np.vdot(told, told)  # of the best guess that is proportional
    assert 0.9 < slope < 1.2


@pytest.mark.parametrize("dim", [64, 130])
@pytest.mark.parametrize("one", [-1.0, 0.0, 1.0])
def test_items_of_blocks_and_items_by_themselves_seem_near_alike(dim: int, one: float) -> None:
    vectors, means, spread = clouds(dim)
    signs = Signs(vectors, means, spread, BLOCK_ROWS)
    query = signs.query(unit_vectors(1, dim, 9)[0])
    blocks = np.arange(1, N_BLOCKS)
    wanted = np.linspace(one - 0.5, one + 0.5, len(blocks), dtype=np.float32)
    limits = signs.limits(wanted, wanted + 0.25, query)
    counts = np.full(len(blocks), BLOCK_ROWS)
    rows = (blocks[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
    found = signs.in_blocks(blocks, query, limits)
    assert FEW < len(found) < len(rows)
    packed, places = signs.packed(rows), np.arange(len(rows))
    assert found.tolist() == signs.among(packed, places, counts, query, limits).tolist()
    told = signs.told(found, query)
    assert (told >= (wanted + 0.25)[found // BLOCK_ROWS - 1] - 1e-3).all()
    left = np.setdiff1d(rows, found)
    assert told.mean() > signs.told(left, query).mean() + 0.5


def test_few_items_are_not_asked_for_their_second_bit() -> None:
    vectors, means, spread = clouds(64)
    signs = Signs(vectors, means, spread, BLOCK_ROWS)
    query = signs.query(unit_vectors(1, 64, 9)[0])
    for both in (-9.0, 9.0):
        for n_blocks in (1, 2):
            one = np.full(n_blocks, -9.0, dtype=np.float32)
            limits = signs.limits(one, np.full_like(one, both), query)
            found = signs.in_blocks(np.arange(n_blocks), query, limits)
            is_asked = n_blocks * BLOCK_ROWS > FEW
            assert len(found) == (0 if is_asked and both > 0 else n_blocks * BLOCK_ROWS)


def test_more_items_than_are_compared_at_once() -> None:
    vectors, means, spread = clouds(130)
    signs = Signs(vectors, means, spread, BLOCK_ROWS)
    query = signs.query(vectors[0])
    rows = np.random.default_rng(1).integers(0, len(vectors), 40_000)
    each = signs.told(np.arange(len(vectors)), query)
    assert signs.told(rows, query) == pytest.approx(each[rows])


def test_a_block_that_is_not_full_has_bits_for_what_it_holds() -> None:
    vectors, means, spread = clouds(64)
    n = len(vectors) - 100
    whole = Signs(vectors, means, spread, BLOCK_ROWS)
    part = Signs(vectors[:n], means, spread, BLOCK_ROWS)
    query, rows = whole.query(vectors[5]), np.arange(n)
    assert part.told(rows, query) == pytest.approx(whole.told(rows, query))


def test_a_query_of_zeros_is_told_nothing() -> None:
    vectors, means, spread = clouds(64)
    signs = Signs(vectors, means, spread, BLOCK_ROWS)
    query = signs.query(np.zeros(64, dtype=np.float32))
    assert signs.told(np.arange(10), query) == pytest.approx(np.zeros(10))

"""The row order: categories in runs, and in them blocks of items that are alike."""

import numpy as np
import pytest

from models.building import row_order as row_orders
from models.building.row_order import _deal, _nearest, _nearness, row_order
from service.domain.arrays import Rows, Scores, Vectors
from service.indexes.passing import BLOCK_ROWS


def unit(vectors: np.ndarray) -> Vectors:
    at_unit_length: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return at_unit_length.astype(np.float32)


def clouds(n: int, dim: int = 16, seed: int = 1) -> tuple[Vectors, Rows]:
    """Vectors in clouds of very uneven sizes, and the cloud of each; a fifth is variance within."""
    rng = np.random.default_rng(seed)
    sizes = rng.pareto(1.2, n // 100) + 0.2
    cloud = rng.choice(len(sizes), n, p=sizes / sizes.sum())
    centres = unit(rng.normal(size=(len(sizes), dim)))
    return unit(centres[cloud] + 0.5 * rng.normal(size=(n, dim)) / np.sqrt(dim)), cloud


def within(vectors: Vectors, first: int = 0) -> float:
    """The mean variance within the whole blocks from a row on."""
    n_blocks = (len(vectors) - first) // BLOCK_ROWS
    blocks = vectors[first : first + n_blocks * BLOCK_ROWS].reshape(n_blocks, BLOCK_ROWS, -1)
    return float(blocks.var(axis=1).sum(axis=1).mean())


def halved(vectors: Vectors, rows: Rows) -> Rows:
    """The order to compare with: halved along the principal axis, again and again."""
    if len(rows) <= BLOCK_ROWS:
        return rows
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    halves = np.array_split(rows[np.argsort(centred @ axis)], 2)
    return np.concatenate([halved(vectors, half) for half in halves])


@pytest.mark.parametrize("dim", [1, 3, 768])
@pytest.mark.parametrize(
    "sizes",
    [
        (0,),
        (1,),
        (BLOCK_ROWS - 1,),
        (BLOCK_ROWS,),
        (2 * BLOCK_ROWS,),
        (2 * BLOCK_ROWS + 1, 1, BLOCK_ROWS, 3 * BLOCK_ROWS),
        (1, 4 * BLOCK_ROWS - 1, 300),
    ],
)
def test_each_row_has_one_place_and_a_category_is_one_run(sizes: tuple[int, ...], dim: int) -> None:
    rng = np.random.default_rng(1)
    categories = rng.permutation(np.repeat([f"c{i}" for i in range(len(sizes))], sizes)).tolist()
    order = row_order(unit(rng.normal(size=(sum(sizes), dim))), categories)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(sum(sizes)))
    assert [categories[i] for i in order] == sorted(categories)


def test_blocks_are_tighter_than_by_halving_and_than_clouds_in_a_row() -> None:
    vectors, cloud = clouds(6000)
    ordered = within(vectors[row_order(vectors, ["one"] * 6000)])
    assert ordered < 0.9 * within(vectors[halved(vectors, np.arange(6000))])
    assert ordered < 0.9 * within(vectors[np.argsort(cloud)])
    assert ordered < 0.5 * within(vectors)


def test_the_blocks_of_every_category_lie_on_the_grid_of_the_router() -> None:
    vectors, _ = clouds(6000)
    categories = ["a"] * 1000 + ["b"] * 2777 + ["c"] * 2223
    ordered = vectors[row_order(vectors, categories)]
    for first, end in ((0, 1000), (1000, 3777), (3777, 6000)):
        own = ordered[first + -first % BLOCK_ROWS : end]
        assert within(own) < 0.95 * within(own, BLOCK_ROWS // 2)


def test_like_blocks_follow_each_other() -> None:
    vectors, _ = clouds(6000, dim=3)
    ordered = vectors[row_order(vectors, ["one"] * 6000)]
    centres = ordered[: 6000 // BLOCK_ROWS * BLOCK_ROWS].reshape(-1, BLOCK_ROWS, 3).mean(axis=1)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    any_two = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    assert steps.mean() < 0.5 * any_two.mean()


def test_the_same_arguments_give_the_same_order() -> None:
    vectors, _ = clouds(3000)
    categories = ["a", "b", "b"] * 1000
    assert np.array_equal(row_order(vectors, categories), row_order(vectors.copy(), categories))


def test_threads_that_add_up_otherwise_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums in float32 are exact: those in float64 give the same order."""
    vectors, _ = clouds(12_800, dim=64)
    ordinary = row_order(vectors, ["one"] * 12_800)

    def in_float64(points: Vectors, centres: Vectors) -> Scores:
        return _nearness(points.astype(np.float64), centres.astype(np.float64))

    monkeypatch.setattr(row_orders, "_nearness", in_float64)
    assert np.array_equal(row_order(vectors, ["one"] * 12_800), ordinary)


def test_items_that_are_all_the_same_have_a_place_each() -> None:
    n = 100 * BLOCK_ROWS
    vectors = np.repeat(clouds(1000)[0][:1], n, axis=0)
    assert np.array_equal(np.sort(row_order(vectors, ["one"] * n)), np.arange(n))


def test_items_that_are_the_same_share_blocks() -> None:
    vectors, _ = clouds(6000)
    is_same = np.random.default_rng(1).random(6000) < 0.5
    vectors[is_same] = vectors[0]
    ordered = is_same[row_order(vectors, ["one"] * 6000)]
    share = ordered[: 6000 // BLOCK_ROWS * BLOCK_ROWS].reshape(-1, BLOCK_ROWS).mean(axis=1)
    assert np.isin(share, (0.0, 1.0)).mean() > 0.9


def test_rows_that_all_ask_for_one_cluster_are_dealt_out_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def counted(points: Vectors, rows: Rows, centres: Vectors) -> tuple[Rows, Scores]:
        asked.append(len(rows))
        return _nearest(points, rows, centres)

    monkeypatch.setattr(row_orders, "_nearest", counted)
    centres = np.arange(100, dtype=np.float32)[:, None]
    dealt = _deal(np.zeros((1000, 1), dtype=np.float32), np.arange(1000), centres, 10)
    assert np.array_equal(np.sort(dealt, axis=None), np.arange(1000))
    assert asked == [1000]


def test_a_category_that_is_too_large_is_halved_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = clouds(6000)
    monkeypatch.setattr(row_orders, "MOST_BLOCKS", 12)
    order = row_order(vectors, ["one"] * 6000)
    assert np.array_equal(np.sort(order), np.arange(6000))
    assert within(vectors[order]) < 0.95 * within(vectors[halved(vectors, np.arange(6000))])

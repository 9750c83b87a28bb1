"""Orders the rows of a catalogue: a category is one run, cut into blocks of items that are alike.

The blocks are balanced k-means: Lloyd's rounds (1982, "Least squares quantization in PCM") with
clusters of one size, as in Malinen and Fränti (2014, "Balanced k-means for clustering"). They deal
rows out at the least total cost; that takes the cube of their number. Here each row asks for the
nearest cluster that has room, and a cluster takes the nearest of those that ask.
"""

from collections.abc import Sequence

import numpy as np

from service.domain.arrays import Rows, Scores, Vectors
from service.indexes.passing import BLOCK_ROWS

SEED = 5
ROUNDS = 8
"""On a sample; two more follow on all rows."""
SAMPLE_ROWS, SAMPLE_PER_CLUSTER = 16_384, 32
"""At least so many rows are a sample, in all and for each cluster."""
MOST_BLOCKS = 16_384
"""Found at once, since time grows with the square of their number; above it rows are halved."""
SCORES = 2_000_000
"""Computed at once: 8 MB."""
FEW = 0.1
"""Of the rows that ask; where fewer get in, asking is over."""
GRID = 2048.0
"""Steps of a unit. Products of unit vectors on this grid are whole numbers of steps squared, at
most 2^22, which float32 adds up exactly: threads, which add up otherwise, change no order."""


def row_order(vectors: Vectors, categories: Sequence[str]) -> Rows:
    """The order of catalogue rows: by category name, within one by blocks, int64 [n].

    Rows of a category are one run then (a zero-copy slice). Blocks are those of the router:
    `BLOCK_ROWS` rows, counted from row 0. The first and the last block of a category, which it
    shares with others, hold what fits its own blocks least. The same arguments give the same order.

    Args:
        vectors: float32 [n, dim], unit length.
        categories: their names [n].

    Returns:
        Positions in `vectors`; their places are the new rows.
    """
    codes = np.unique(np.asarray(categories), return_inverse=True)[1]
    by_name = np.argsort(codes, kind="stable")
    borders = np.flatnonzero(np.diff(codes[by_name])) + 1
    runs = zip(np.split(by_name, borders), [0, *borders.tolist()], strict=True)
    return np.concatenate([_run_order(vectors, run, first) for run, first in runs])


def _run_order(vectors: Vectors, rows: Rows, first: int) -> Rows:
    """The order of a category whose rows begin at `first`."""
    head = -first % BLOCK_ROWS
    n_blocks = (len(rows) - head) // BLOCK_ROWS
    if n_blocks < 1:
        return rows
    points = _whole(vectors[rows] * np.float32(GRID))
    everything = np.arange(len(rows))
    inner = _blocks(points, everything, n_blocks).ravel()
    outer = np.setdiff1d(everything, inner, assume_unique=True)
    return rows[np.concatenate((outer[:head], inner, outer[head:]))]


def _blocks(points: Vectors, rows: Rows, n_blocks: int) -> Rows:
    """Rows that are alike [n_blocks, BLOCK_ROWS], like blocks one after the other.

    Above `MOST_BLOCKS` there may be one block less for each time that rows are halved.
    """
    if n_blocks > MOST_BLOCKS:
        halves = _clusters(points, rows, 2, n_blocks // 2 * BLOCK_ROWS)
        return np.concatenate([_blocks(points, half, n_blocks // 2) for half in halves])
    blocks = _clusters(points, rows, n_blocks, BLOCK_ROWS)
    return blocks[_chain(_centres(points, blocks))]


def _clusters(points: Vectors, rows: Rows, k: int, size: int) -> Rows:
    """Balanced k-means: k clusters of so many rows [k, size]; what fits least is in none."""
    few = min(size, max(SAMPLE_PER_CLUSTER, SAMPLE_ROWS // k))
    sample = np.random.default_rng(SEED).choice(rows, k * few, replace=False)
    centres = points[sample[:k]]
    for _ in range(ROUNDS):
        centres = _centres(points, _deal(points, sample, centres, few))
    centres = _centres(points, _deal(points, rows, centres, size))
    return _deal(points, rows, centres, size)


def _centres(points: Vectors, clusters: Rows) -> Vectors:
    """The mean of each cluster, float32 [k, dim], on the grid."""
    return _whole(np.array([points[members].mean(axis=0) for members in clusters]))


def _whole(points: Vectors) -> Vectors:
    """The nearest point of the grid; adding zero leaves one kind of zero."""
    return np.rint(points) + np.float32(0.0)


def _deal(points: Vectors, rows: Rows, centres: Vectors, size: int) -> Rows:
    """Fill a cluster around each centre, [k, size]; centres that are alike share their rows.

    Who asks in vain asks again for the next nearest with room. When hardly anybody gets in any
    more, those who asked for the same are dealt out together, so that time is bounded.
    """
    kinds, counts = _kinds(centres)
    room, taken, takers = counts * size, [], []
    while room.any():
        has_room = np.flatnonzero(room)
        nearest, scores = _nearest(points, rows, kinds[has_room])
        order = np.lexsort((-scores, nearest))
        rows, asked = rows[order], has_room[nearest[order]]
        is_in = np.arange(len(rows)) - np.searchsorted(asked, asked) < room[asked]
        if is_in.sum() < FEW * len(rows):
            asked = np.repeat(np.arange(len(room)), room)
            rows, is_in = rows[: len(asked)], np.ones(len(asked), dtype=np.bool_)
        taken.append(rows[is_in])
        takers.append(asked[is_in])
        room = room - np.bincount(takers[-1], minlength=len(room))
        rows = rows[~is_in]
    by_taker = np.argsort(np.concatenate(takers), kind="stable")
    return np.concatenate(taken)[by_taker].reshape(len(centres), size)


def _kinds(centres: Vectors) -> tuple[Vectors, Rows]:
    """The centres that differ, and how many there are of each, int64 [k]."""
    as_bytes = centres.view(np.dtype((np.void, centres.itemsize * centres.shape[1])))[:, 0]
    _, firsts, counts = np.unique(as_bytes, return_index=True, return_counts=True)
    return centres[firsts], counts


def _nearest(points: Vectors, rows: Rows, centres: Vectors) -> tuple[Rows, Scores]:
    """For each row the nearest centre, int64 [n], and how near it is, float32 [n]."""
    nearest, scores = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.float32)
    step = SCORES // max(centres.shape) + 1
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        products = _nearness(points[rows[part]], centres)
        nearest[part] = products.argmax(axis=1)
        scores[part] = products.max(axis=1)
    return nearest, scores


def _nearness(points: Vectors, centres: Vectors) -> Scores:
    """What decreases with the distance of points and centres, float32 [n, k]."""
    products: Scores = points @ centres.T
    products -= np.square(centres).sum(axis=1) / 2
    return products


def _chain(centres: Vectors) -> Rows:
    """From each centre to the nearest one that is left, so that like blocks are read in one go.

    The nearest neighbour heuristic for the travelling salesman (Rosenkrantz, Stearns and Lewis,
    1977).
    """
    is_left = np.ones(len(centres), dtype=np.bool_)
    chain = np.zeros(len(centres), dtype=np.int64)
    for place in range(1, len(centres)):
        last = chain[place - 1]
        is_left[last] = False
        nearness = _nearness(centres[last], centres)
        chain[place] = np.where(is_left, nearness, -np.inf).argmax()
    return chain

"""Where the id table starts: items that are bought together start close to each other."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from models.training.examples import Examples

LENGTH = 1 / 3
"""Length of the starting vectors; times the id factor of 3 that is 1 (towers.md, recipe)."""


def together(examples: Examples, n_items: int, dim: int, seed: int) -> NDArray[np.float32]:
    """Return float32 [n_items, dim]: SVD of the positive pointwise mutual information of orders.

    Items that share no order with others get zeros.
    """
    own = np.arange(len(examples.items)) - np.repeat(examples.starts[:-1], examples.n_targets)
    own_line = own < np.repeat(examples.own, examples.n_targets)
    order = np.repeat(np.arange(examples.n), examples.n_targets)[own_line]
    shape = (examples.n, n_items)
    bought = sparse.csr_matrix(
        (np.ones(len(order)), (order, examples.items[own_line])), shape=shape
    )
    pairs = (bought.T @ bought).tocoo()
    apart = pairs.row != pairs.col
    row, col, count = pairs.row[apart], pairs.col[apart], pairs.data[apart]
    share = np.bincount(row, count, minlength=n_items) / max(count.sum(), 1.0)
    information = np.log(count / max(count.sum(), 1.0) / (share[row] * share[col]))
    kept = information > 0
    table = sparse.csr_matrix((information[kept], (row[kept], col[kept])), (n_items, n_items))
    return _scaled(_leading(table, dim, seed))


def _leading(table: sparse.csr_matrix, dim: int, seed: int) -> NDArray[np.float64]:
    """Return the leading singular directions, float64 [n, dim], zeros where there are too few."""
    rank = min(dim, min(table.shape) - 1)
    vectors = np.zeros((table.shape[0], dim))
    if rank < 1 or not table.nnz:
        return vectors
    start = np.random.default_rng(seed).standard_normal(table.shape[0])
    left, values, _ = svds(table, k=rank, v0=start)
    vectors[:, :rank] = left * np.sqrt(values)
    return vectors


def _scaled(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = LENGTH * vectors / np.maximum(length, 1e-12)
    return np.where(length > 0, scaled, 0.0).astype(np.float32)

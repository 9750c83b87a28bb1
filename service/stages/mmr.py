"""Maximal marginal relevance: what is much like something above it waits a little."""

import numpy as np

from service.domain.arrays import Rows, Vectors

FLOOR = np.float32(-np.inf)


def spread(vectors: Vectors, weight: float) -> Rows:
    """An order in which neighbours in the list are less alike, int64 [n].

    Greedy: each place goes to the item with the best (1 - weight) * relevance - weight * (its
    largest inner product with an item above). Relevance falls evenly from 1 to 0 with the rank:
    scores of different sources are not comparable, ranks are. After Carbonell and Goldstein,
    "The use of MMR, diversity-based reranking", SIGIR 1998.

    Args:
        vectors: float32 [n, dim], unit length, best first.
        weight: 0 keeps the order, 1 looks at nothing but difference.
    """
    n = len(vectors)
    alike = vectors @ vectors.T
    alike *= np.float32(weight)
    worth = np.linspace(1.0 - weight, 0.0, n, dtype=np.float32)
    nearest = np.full(n, FLOOR)
    gain = worth.copy()
    order = []
    for _ in range(n):
        best = int(gain.argmax())
        order.append(best)
        worth[best] = FLOOR
        np.maximum(nearest, alike[best], out=nearest)
        np.subtract(worth, nearest, out=gain)
    return np.array(order, dtype=np.int64)

"""Maximal marginal relevance: what is much like something above it waits a little."""

from functools import lru_cache

import numpy as np

from service.domain.arrays import Rows, Scores, Vectors

PLACED = np.float32(-np.inf)


def spread(vectors: Vectors, weight: float, places: int) -> Rows:
    """An order in which neighbours at the top of the list are less alike, int64 [n].

    Greedy: each place goes to the item with the best (1 - weight) * relevance - weight * (its
    largest inner product with an item above). Relevance falls evenly from 1 to 0 with the rank:
    scores of different sources are not comparable, ranks are. After Carbonell and Goldstein,
    "The use of MMR, diversity-based reranking", SIGIR 1998.

    Args:
        vectors: float32 [n, dim], unit length, best first.
        weight: 0 keeps the order, 1 looks at nothing but difference.
        places: how many places are given; below them the others follow in their order.
    """
    n = len(vectors)
    if n <= 1:
        return np.arange(n)
    alike = vectors @ vectors.T
    alike *= np.float32(weight)
    gains = _relevance(n, weight) - alike
    gains.flat[:: n + 1] = PLACED
    order, gain = [0], gains[0]  # a row: what the others gain at most, once this one is above them
    best_of, lower = gain.argmax, np.minimum
    for _ in range(1, min(places, n)):
        best = best_of()
        order.append(best)
        lower(gain, gains[best], out=gain)
    first, is_below = np.array(order), np.ones(n, dtype=np.bool_)
    is_below[first] = False
    return np.concatenate((first, is_below.nonzero()[0]))


@lru_cache
def _relevance(n: int, weight: float) -> Scores:
    return np.linspace(1.0 - weight, 0.0, n, dtype=np.float32)

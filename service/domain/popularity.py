"""How much popularity says beside what is known of a person; one rule for serving and replay."""

from collections.abc import Sequence

import numpy as np

from service.domain.arrays import NO_ROWS, Rows, Scores

SPARSE_WEIGHT, STALE_WEIGHT = 0.5, 0.1
"""What popularity counts without any action, and beside an old signal."""
INTEREST_WEIGHT = 2.0
"""Declared interests make their items count this many times their popularity.

All three were chosen on the validation slices of two data sets: docs/evaluation.md, "Cold start".
"""


def sparse_weight(n_actions: int, full: float, below: int) -> float:
    """What popularity counts beside the vector of so few actions.

    Args:
        n_actions: actions on known items.
        full: the weight without any action.
        below: actions from which on the vector speaks alone; the weight falls evenly to 0.
    """
    return full * max(0.0, 1.0 - n_actions / below)


def with_popularity(scores: Scores, popularity: Scores, weight: float) -> Scores:
    """Scores + weight * (popularity / the largest popularity), float32 [..., n].

    Args:
        scores: inner products, float32 [..., n].
        popularity: shares, float32 [n], at least 0.
        weight: 0 leaves the scores as they are.
    """
    largest = max(float(popularity.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return scores + np.float32(weight) * (popularity / np.float32(largest))


def by_interest(
    everything: Rows, liked: Sequence[Rows], popularity: Scores, weight: float = INTEREST_WEIGHT
) -> Rows:
    """All lists as one, by popularity, that of liked items counting `weight` times.

    Args:
        everything: the popular items of the whole catalogue.
        liked: the popular items of each declared interest.
        popularity: of the whole catalogue, by row.
        weight: 1 makes no difference between liked items and others.

    Returns:
        Rows, best first, each once; none where no interest has a list.
    """
    wanted = np.concatenate([NO_ROWS, *liked])
    if not len(wanted):
        return NO_ROWS
    rows = np.unique(np.concatenate([everything, wanted]))
    weights = np.where(np.isin(rows, wanted), np.float32(weight), np.float32(1.0))
    best: Rows = rows[np.argsort(-popularity[rows] * weights, kind="stable")]
    return best

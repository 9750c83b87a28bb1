"""Names for the arrays that the service passes around."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Catalogue rows, int64 [n]."""
Scores = NDArray[np.float32]
"""Scores, float32 [n]; NaN where a source gives none."""
Mask = NDArray[np.bool_]
"""True = keep, bool [n]."""
Vector = NDArray[np.float32]
"""One vector of unit length, float32 [dim]."""
Vectors = NDArray[np.float32]
"""Vectors of unit length, float32 [n, dim]."""
Codes = NDArray[np.int32]
"""Positions in a list of names, int32 [n]."""
Hashes = NDArray[np.uint64]
"""Item hashes (`service.domain.items.item_hash`), uint64 [n]."""
Times = NDArray[np.float64]
"""Instants in epoch seconds, float64 [n]."""

NO_ROWS: Rows = np.empty(0, dtype=np.int64)
NO_SCORES: Scores = np.empty(0, dtype=np.float32)
NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)
NO_TIMES: Times = np.empty(0, dtype=np.float64)


def among(values: NDArray[np.generic], others: NDArray[np.generic]) -> Mask:
    """Which of `values` [n] are in `others` [m], of one type and without NaN, bool [n].

    For short arrays, which every request has: there the fixed cost of `np.isin` counts most.
    """
    if not len(others):
        return np.zeros(len(values), dtype=np.bool_)
    ordered = np.sort(others)
    mask: Mask = ordered.take(ordered.searchsorted(values), mode="clip") == values
    return mask

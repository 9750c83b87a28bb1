"""The check that every index makes of a query: engines answer nonsense without a word."""

import math

from service.domain.arrays import Vector
from service.errors import IndexUnavailable


def check_query(vector: Vector, dim: int) -> None:
    """Refuse a query of the wrong width, and one that is not finite.

    Raises:
        IndexUnavailable: with the outcome dim or nan.
    """
    if vector.shape != (dim,):
        raise IndexUnavailable("dim", f"the query has shape {vector.shape}, not ({dim},)")
    if not math.isfinite(float(vector @ vector)):
        raise IndexUnavailable("nan", "the query vector is not finite")

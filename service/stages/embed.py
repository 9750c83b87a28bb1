"""The user tower turns a session into a vector, anew on every request."""

from service.domain.arrays import Vector
from service.domain.requests import Query
from service.errors import TowerUnavailable
from service.ports.serving import Release


def embed(query: Query, release: Release) -> Vector | None:
    """The user vector, float32 [dim]; None for a person without any action on a known item.

    The ladder answers for those: for an empty history the tower can only return its learned
    mean, which ranks no better than the popular list, and the list says honestly what it is.

    Raises:
        TowerUnavailable: no usable vector, or no time left to compute one.
    """
    if not (query.rows >= 0).any():
        return None
    if query.deadline.has_passed:
        raise TowerUnavailable("timeout", "no time left to embed")
    return release.tower.embed(query.session, release.catalogue, query.now_s)

"""What a search for the nearest items found, and by which way."""

from dataclasses import dataclass
from enum import StrEnum

from service.domain.arrays import NO_ROWS, NO_SCORES, Rows, Scores


class Route(StrEnum):
    """The ways to the nearest items."""

    GRAPH = "graph"  # the approximate index, fetching more than is wanted
    BLOCKS = "blocks"  # the blocks of rows that can hold near items
    SWEEP = "sweep"  # every block that holds allowed rows: exact
    GATHER = "gather"  # the allowed rows, collected: exact
    NOTHING = "nothing"  # no item passes the filters


@dataclass(frozen=True, slots=True)
class Found:
    """Nearest items, best first.

    Attributes:
        rows: int64 [m]; scores: inner products, float32 [m].
        passing: items that pass the filters, sold-out ones included.
        is_second_try: the first route found too few, and this one was taken after it.
    """

    rows: Rows
    scores: Scores
    route: Route
    passing: int
    is_second_try: bool = False

    @classmethod
    def nothing(cls) -> "Found":
        return cls(NO_ROWS, NO_SCORES, Route.NOTHING, 0)

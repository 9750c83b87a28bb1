"""Filter: rules remove, receipts count, broken rules fail the safe way."""

from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Mask, Rows
from service.domain.requests import Query
from service.domain.traces import Trace
from service.ports.serving import Release
from service.stages.filter import Filter
from tests.factories import make_candidates, make_query, make_release


@dataclass(frozen=True)
class Odd:
    """Keeps odd rows."""

    name: str = "odd"
    fails_closed: bool = True

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask:
        mask: Mask = rows % 2 == 1
        return mask


@dataclass(frozen=True)
class Broken:
    """Always fails."""

    fails_closed: bool
    name: str = "broken"

    def __call__(self, rows: Rows, query: Query, release: Release) -> Mask:
        raise RuntimeError("bug")


def test_each_rule_counts_what_it_removed() -> None:
    release, trace = make_release(), Trace("r")
    found = Filter((Odd(),))(make_candidates(1, 2, 3, 4, 6), make_query(release), release, trace)
    assert found.rows.tolist() == [1, 3]
    assert trace.removed == {"odd": 3}


def test_a_broken_closed_rule_drops_everything_and_says_so() -> None:
    release, trace = make_release(), Trace("r")
    found = Filter((Broken(True),))(make_candidates(1, 2), make_query(release), release, trace)
    assert len(found) == 0
    assert trace.degraded == ["filter"]


def test_a_broken_open_rule_keeps_everything_and_says_so() -> None:
    release, trace = make_release(), Trace("r")
    found = Filter((Broken(False),))(make_candidates(1, 2), make_query(release), release, trace)
    assert found.rows.tolist() == [1, 2]
    assert trace.degraded == ["filter"]


def test_filter_keeps_the_order() -> None:
    release = make_release()
    found = Filter((Odd(),))(make_candidates(9, 1, 5), make_query(release), release, Trace("r"))
    assert np.array_equal(found.rows, [9, 1, 5])

"""Fill: the ladder is climbed only as far as needed, under the same rules."""

from dataclasses import dataclass

from service.domain.candidates import Candidates
from service.domain.requests import Query
from service.domain.sources import Source
from service.domain.traces import Trace
from service.fallback.popular import Popular
from service.ports.serving import Release
from service.rules.stock import InStock
from service.stages.fill import Fill
from service.stages.filter import Filter
from tests.factories import ids, make_candidates, make_query, make_release, sold_out


@dataclass
class Counting:
    """A rung that proposes fixed rows and counts how often it was asked."""

    rows: tuple[int, ...]
    asked: int = 0
    name: str = "counting"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        self.asked += 1
        return make_candidates(*self.rows, source=Source.TRENDING)


@dataclass
class Broken:
    """A rung that fails."""

    name: str = "broken"

    def propose(self, query: Query, release: Release, n: int) -> Candidates:
        raise RuntimeError("bug")


def test_a_full_list_asks_no_rung() -> None:
    release, rung = make_release(), Counting((7,))
    fill = Fill((rung,), Filter(()))
    found = fill(make_candidates(1, 2, 3), make_query(release), release, Trace("r"))
    assert rung.asked == 0
    assert found.rows.tolist() == [1, 2, 3]


def test_a_lower_rung_is_not_asked_when_the_one_above_was_enough() -> None:
    release, upper, lower = make_release(), Counting((4, 5)), Counting((6,))
    fill = Fill((upper, lower), Filter(()))
    found = fill(make_candidates(1), make_query(release), release, Trace("r"))
    assert found.rows.tolist() == [1, 4, 5]
    assert lower.asked == 0


def test_the_ladder_obeys_the_rules() -> None:
    release = make_release()
    release.updates.apply(sold_out("i0", "i1"))
    fill = Fill((Popular(),), Filter((InStock(),)))
    found = fill(Candidates.none(), make_query(release), release, Trace("r"))
    assert ids(release, found)[:3] == ["i2", "i3", "i4"]


def test_a_broken_rung_is_skipped_and_noted() -> None:
    release, trace = make_release(), Trace("r")
    found = Fill((Broken(), Popular()), Filter(()))(
        Candidates.none(), make_query(release), release, trace
    )
    assert len(found) >= 3
    assert trace.degraded == ["fill"]


def test_strict_never_fills() -> None:
    release = make_release()
    fill = Fill((Popular(),), Filter(()))
    query = make_query(release, strict=True)
    assert len(fill(make_candidates(1), query, release, Trace("r"))) == 1

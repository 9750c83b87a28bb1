"""What rises now: counted once, faded with age, by scope, shared through the store."""

from dataclasses import dataclass

import numpy as np

from service.domain.events import Event
from service.domain.ladders import ALL, category_scope, country_scope
from service.fallback.trending import Trending
from service.ports.serving import Release
from service.trends import HOUR_S, HOURS, Trends
from tests.factories import NOW_S, ids, make_catalogue, make_query, make_release, make_session
from tests.fake_memories import FakeTrends

RELEASE = make_release(make_catalogue(30))


@dataclass
class Live:
    live: Release = RELEASE


@dataclass
class Clock:
    now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


def make(store: FakeTrends, clock: Clock | None = None) -> Trends:
    return Trends(store, Live(), clock or Clock())


def event(item: int, kind: str = "view", ago_h: float = 0.0, country: str = "") -> Event:
    return Event("e", kind, "u:ann", f"i{item}", NOW_S - ago_h * HOUR_S, country=country)


async def counted(*events: Event) -> Trends:
    trends = make(FakeTrends())
    for one in events:
        trends.count(one)
    await trends.flush()
    await trends.refresh()
    return trends


def rows(trends: Trends, scope: str = ALL) -> list[int]:
    return trends.rows_in(scope, RELEASE).tolist()


BASE = tuple(event(item) for item in (1, 3, 5, 7, 9))


async def test_stronger_actions_count_more_and_negative_ones_not() -> None:
    trends = await counted(*BASE, event(9, "purchase"), event(5, "click"), event(3, "dislike"))
    assert rows(trends) == [9, 5, 1, 3, 7]


async def test_what_is_older_fades() -> None:
    old = [event(7, "view", ago_h=20.0) for _ in range(5)]
    trends = await counted(*BASE, event(1, "view"), *old)
    assert rows(trends)[:2] == [1, 7]
    assert 29 not in rows(await counted(*BASE, event(29, ago_h=HOURS + 1)))


async def test_scopes_are_kept_apart() -> None:
    trends = await counted(*BASE, *(event(item, country="France") for item in (0, 2, 4, 6, 8)))
    assert set(rows(trends, category_scope("books"))) == {1, 3, 5, 7, 9}
    assert set(rows(trends, country_scope("France"))) == {0, 2, 4, 6, 8}
    assert len(rows(trends)) == 10


async def test_a_scope_in_which_little_moves_has_no_trend() -> None:
    assert rows(await counted(event(1), event(1), event(2))) == []


async def test_items_that_the_release_does_not_know_are_left_out() -> None:
    trends = await counted(*BASE, Event("e", "purchase", "u:ann", "gone", NOW_S))
    assert sorted(rows(trends)) == [1, 3, 5, 7, 9]


async def test_other_processes_see_what_was_counted_here() -> None:
    store = FakeTrends()
    one, other = make(store), make(store)
    for some in BASE:
        one.count(some)
    await one.flush()
    await one.flush()  # nothing twice
    await other.refresh()
    assert sorted(rows(other)) == [1, 3, 5, 7, 9]
    assert sum(store.hours[int(NOW_S // HOUR_S)].values()) == np.float64(5 * 0.2)


async def test_hours_that_are_over_are_read_once() -> None:
    store, clock = FakeTrends(), Clock()
    trends = make(store, clock)
    await trends.refresh()
    assert store.n_reads == HOURS
    clock.now_s += HOUR_S
    await trends.refresh()
    assert store.n_reads == HOURS + 2


async def test_a_release_not_yet_looked_at_has_no_trends() -> None:
    trends = await counted(*BASE)
    assert len(trends.rows_in(ALL, make_release(make_catalogue(30)))) == 0


async def test_the_rung_puts_what_rises_now_above_what_rose_when_the_release_was_built() -> None:
    trends = await counted(*BASE, event(9, "purchase"))
    query = make_query(RELEASE, make_session(("i0", "view"), interests=("books",)))
    found = ids(RELEASE, Trending(trends).propose(query, RELEASE, 8))
    assert found[0] == "i9"
    assert set(found[:5]) == {"i1", "i3", "i5", "i7", "i9"}
    assert found[5:] == ["i11", "i13", "i15"]

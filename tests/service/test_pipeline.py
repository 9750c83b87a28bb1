"""The read path as a whole: always an answer, and an honest one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.domain.events import Event, EventOutcome
from service.domain.requests import Request, SimilarRequest
from service.domain.sessions import EMPTY_SESSION, Session
from service.domain.sources import Source
from service.domain.traces import Trace
from service.errors import StoreUnavailable
from service.fallback.content import Content
from service.fallback.popular import Popular
from service.fallback.trending import Trending
from service.pipeline import Pipeline
from service.ports.serving import Release
from service.rules.excluded import NotExcluded
from service.rules.stock import InStock
from service.stages.diversify import Diversify
from service.stages.explore import Explore
from service.stages.fill import Fill
from service.stages.filter import Filter
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.stages.retrieve import Retrieve
from service.stages.segment import Segmenter
from service.stages.sponsor import Sponsor
from tests.factories import (
    NOW_S,
    MeanTower,
    NearestRows,
    NoTrends,
    make_catalogue,
    make_release,
    make_session,
)
from tests.fakes import FakePages


class Sessions:
    """One person's session; `broken` makes reading fail."""

    def __init__(self, session: Session = EMPTY_SESSION, broken: bool = False) -> None:
        self.session, self.broken = session, broken

    async def read(self, user: str, timeout_s: float) -> Session:
        if self.broken:
            raise StoreUnavailable("timeout")
        return self.session

    async def read_all(self, users: Sequence[str], timeout_s: float) -> dict[str, Session]:
        return {user: await self.read(user, timeout_s) for user in users}

    async def record(self, events: Sequence[Event]) -> list[EventOutcome]:
        raise NotImplementedError


class OneRelease:
    """Always the same live release."""

    def __init__(self, release: Release) -> None:
        self.live = release


def make_pipeline(release: Release, sessions: Sessions | None = None) -> Pipeline:
    rules, identify = Filter((NotExcluded(), InStock())), Identify(100)
    return Pipeline(
        releases=OneRelease(release),
        clock=lambda: NOW_S,
        identify=identify,
        lookup=Lookup(sessions or Sessions(), 1.0, identify),
        page=Page(FakePages(), 1.0),
        segment=Segmenter(5, 50, 90 * 86_400.0),
        retrieve=Retrieve(3.0),
        filter=rules,
        fill=Fill((Content(), Trending(NoTrends()), Popular()), rules),
        explore=Explore(0.0),
        sponsor=Sponsor(2, rules),
        diversify=Diversify(0.4, 3, 0.5),
    )


ANN = make_session(("i30", "view"), ("i31", "view"))
RELEASE = make_release(make_catalogue(40), has_repeats=False)
BROKEN = NearestRows(RELEASE.catalogue.vectors, broken=True)


async def test_a_known_person_gets_near_items_and_an_undegraded_answer() -> None:
    trace = Trace("r")
    answer = await make_pipeline(RELEASE, Sessions(ANN)).recommend(Request(5, "ann"), trace)
    assert set(answer.items.sources) == {Source.ANN}
    assert min(answer.items.rows) > 20
    assert trace.degraded == []
    assert (answer.segment, answer.signal_actions, answer.signal_age_s) == ("sparse", 2, 60.0)
    assert [stage.name for stage in trace.stages] == [
        "identify", "lookup", "page", "segment", "embed", "retrieve",
        "filter", "fill", "explore", "sponsor", "diversify", "truncate",
    ]  # fmt: skip


async def test_a_new_visitor_gets_a_full_list_that_says_what_it_is() -> None:
    answer = await make_pipeline(RELEASE).recommend(Request(5), Trace("r"))
    assert answer.segment == "new"
    assert len(answer.items) == 5
    assert set(answer.items.sources) <= {Source.TRENDING, Source.POPULAR}


async def test_a_store_that_is_down_costs_the_signal_not_the_answer() -> None:
    trace = Trace("r")
    pipeline = make_pipeline(RELEASE, Sessions(broken=True))
    answer = await pipeline.recommend(Request(5, "ann"), trace)
    assert len(answer.items) == 5
    assert trace.degraded == ["session"]


async def test_actions_brought_along_still_count_when_the_store_is_down() -> None:
    trace = Trace("r")
    pipeline = make_pipeline(RELEASE, Sessions(broken=True))
    answer = await pipeline.recommend(Request(5, "ann", recent_actions=ANN), trace)
    assert set(answer.items.sources) == {Source.ANN}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"tower": MeanTower(broken=True)}, "tower"),
        ({"router": make_release(RELEASE.catalogue, index=BROKEN).router}, "index"),
    ],
)
async def test_a_broken_part_degrades_the_answer(broken: dict[str, object], reason: str) -> None:
    trace = Trace("r")
    release = replace(RELEASE, **broken)  # type: ignore[arg-type]
    answer = await make_pipeline(release, Sessions(ANN)).recommend(Request(5, "ann"), trace)
    assert len(answer.items) == 5
    assert reason in trace.degraded


async def test_without_a_tower_content_answers_first() -> None:
    release = replace(RELEASE, tower=MeanTower(broken=True))
    answer = await make_pipeline(release, Sessions(ANN)).recommend(Request(5, "a"), Trace("r"))
    assert set(answer.items.sources) == {Source.CONTENT}


async def test_a_spent_deadline_still_gets_an_answer() -> None:
    trace = Trace("r")
    request = Request(5, "ann", recent_actions=ANN, timeout_ms=0.0)
    answer = await make_pipeline(RELEASE, Sessions(ANN)).recommend(request, trace)
    assert len(answer.items) == 5
    assert {"session", "tower", "deadline"} <= set(trace.degraded)


async def test_a_list_that_cannot_be_filled_says_short() -> None:
    trace = Trace("r")
    release = make_release(make_catalogue(4))
    answer = await make_pipeline(release).recommend(Request(9), trace)
    assert len(answer.items) == 4
    assert trace.degraded == ["short"]


async def test_unknown_ids_are_ignored_and_listed() -> None:
    brought = make_session(("gone", "view"), ("i3", "view"))
    request = Request(3, recent_actions=brought, exclude_item_ids=("never", "i3"))
    answer = await make_pipeline(RELEASE).recommend(request, Trace("r"))
    assert answer.missing_ids == ("gone", "never")
    assert "i3" not in answer.item_ids


async def test_explain_names_the_recent_item_behind_a_near_one() -> None:
    request = Request(3, "ann", explain=True)
    answer = await make_pipeline(RELEASE, Sessions(ANN)).recommend(request, Trace("r"))
    assert answer.reasons[0][1] in {"because_of:i30", "because_of:i31"}


async def test_similar_items_are_near_and_never_the_item_itself() -> None:
    answer = await make_pipeline(RELEASE).similar(SimilarRequest("i10", 4), Trace("r"))
    assert set(answer.item_ids) == {"i8", "i9", "i11", "i12"}


async def test_similar_to_an_unknown_item_is_answered_and_listed() -> None:
    answer = await make_pipeline(RELEASE).similar(SimilarRequest("gone", 4), Trace("r"))
    assert answer.missing_ids == ("gone",)
    assert len(answer.items) == 4
    assert set(answer.items.sources) <= {Source.TRENDING, Source.POPULAR}


async def test_rows_of_one_answer_are_distinct() -> None:
    release = make_release(make_catalogue(40), again_weight=1.0)
    answer = await make_pipeline(release, Sessions(ANN)).recommend(Request(30, "a"), Trace("r"))
    assert len(np.unique(answer.items.rows)) == 30

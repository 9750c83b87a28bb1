"""The read path: one request, stage by stage, top to bottom."""

from dataclasses import dataclass

import numpy as np

from service.domain.actions import ACTION_CODES
from service.domain.arrays import Vector
from service.domain.candidates import Candidates
from service.domain.deadlines import Deadline
from service.domain.identity import NOBODY
from service.domain.recommendations import Recommendation
from service.domain.requests import Query, Request, SimilarRequest
from service.domain.sessions import Segment, Session
from service.domain.traces import Trace
from service.ports.serving import Clock, Release, Releases
from service.stages.diversify import Diversify
from service.stages.embed import embed
from service.stages.explore import Explore
from service.stages.fill import Fill
from service.stages.filter import Filter
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.stages.retrieve import Retrieve
from service.stages.segment import Segmenter
from service.stages.sponsor import Sponsor
from service.stages.truncate import truncate


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages, with their settings. A broken stage is noted and the request goes on."""

    releases: Releases
    clock: Clock
    identify: Identify
    lookup: Lookup
    page: Page
    segment: Segmenter
    retrieve: Retrieve
    filter: Filter
    fill: Fill
    explore: Explore
    sponsor: Sponsor
    diversify: Diversify

    async def recommend(self, request: Request, trace: Trace) -> Recommendation:
        """Answers which items this person might want next.

        Raises:
            NotReady: no release is live. Nothing else: every other fault degrades the answer.
        """
        release = self.releases.live  # pinned: one release answers the whole request
        now_s, deadline = self.clock(), Deadline.after(request.timeout_ms / 1000)
        person, session = NOBODY, request.recent_actions  # what to go on with if a part is down
        vector, found = None, Candidates.none()

        with trace.stage("identify", forgive="identity"):  # ids become one person
            person = self.identify(request)
        with trace.stage("lookup", forgive="session"):  # what this person did, under all ids
            person, session = await self.lookup(person, session, deadline, trace)
        with trace.stage("page", forgive="page"):  # what the pages before this one have shown
            trace.shown = await self.page(request, deadline, trace)
        with trace.stage("segment"):  # new, sparse, casual, power, guest or stale
            segment = self.segment(request, session, now_s)
            query = Query(
                *(request, person.user, session, release.catalogue.rows_of(session.item_ids)),
                *(segment, deadline, now_s, session.current(self.segment.gap_s, now_s)),
                trace.shown,
            )
        with trace.stage("embed", forgive="tower"):  # the user tower; None for a new visitor
            vector = embed(query, release)
        with trace.stage("retrieve", forgive="index"):  # nearest items, and own items again
            found = self.retrieve(vector, query, release, trace)
        with trace.stage("filter"):  # stock, policy, excluded, purchased, seen, request filters
            found = self.filter(found, query, release, trace)
        with trace.stage("fill"):  # too few left: content, trending, popular; same rules
            found = self.fill(found, query, release, trace)
        with trace.stage("explore", forgive="explore"):  # places for items we know little about
            found = self.explore(found, query, release, trace)
        with trace.stage("sponsor", forgive="sponsor"):  # paid places, under the same rules
            found = self.sponsor(found, query, release, trace)
        with trace.stage("diversify", forgive="diversify"):  # no category or seller fills the list
            found = self.diversify(found, query, release)
        with trace.stage("truncate"):  # the first k, as the answer
            answer = truncate(found, query, release, vector, trace)
        return answer

    async def similar(self, request: SimilarRequest, trace: Trace) -> Recommendation:
        """Answers which items are like an item; an unknown item is answered by the ladder.

        Raises:
            NotReady: no release is live.
        """
        release = self.releases.live
        query = _like(request, release, self.clock())
        vector, found = None, Candidates.none()

        with trace.stage("embed"):  # the item's own vector stands for the person's
            vector = _vector(query, release)
        with trace.stage("retrieve", forgive="index"):
            found = self.retrieve.nearest(vector, query, release, trace)
        with trace.stage("filter"):
            found = self.filter(found, query, release, trace)
        with trace.stage("fill"):
            found = self.fill(found, query, release, trace)
        with trace.stage("truncate"):
            answer = truncate(found, query, release, vector, trace)
        return answer


def _vector(query: Query, release: Release) -> Vector | None:
    row = int(query.rows[0])
    return release.catalogue.vectors[row] if row >= 0 else None


def _like(request: SimilarRequest, release: Release, now_s: float) -> Query:
    """The query for items like an item: its only signal is that item, which it must not show."""
    asked = Request(
        k=request.k,
        exclude_item_ids=(request.item_id, *request.exclude_item_ids),
        exclude_purchased=False,
        filters=request.filters,
        explore=0.0,
        strict=request.strict,
        explain=request.explain,
        timeout_ms=request.timeout_ms,
    )
    session = Session(
        item_ids=(request.item_id,),
        action_types=np.array([ACTION_CODES["view"]], dtype=np.int64),
        at_s=np.array([now_s]),
    )
    rows = release.catalogue.rows_of(session.item_ids)
    deadline = Deadline.after(request.timeout_ms / 1000)
    return Query(asked, None, session, rows, Segment.GUEST, deadline, now_s)

"""The read path of a release that only looks on."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.ports.serving import Releases
from service.settings.scenarios import DEFAULT
from service.settings.tree import Settings
from service.shadow.replay import Recommend, listening
from service.stores.cluster import open_client
from service.stores.pages import RedisPages
from service.stores.redis import RedisSessions
from service.stores.trends import RedisTrends
from service.trends import TREND_TTL_S, Trends
from service.wiring.lives import living
from service.wiring.read_path import Scenario, Shared, lookup_of, make_scenarios, page_of
from service.wiring.redis import keep_of, options_of, redis_url

SHADOW_REDIS = {
    "pool_size": 2,
    **dict.fromkeys(("connect_timeout_ms", "socket_timeout_ms", "read_timeout_ms"), 1000.0),
}
"""Replays wait for Redis: nobody waits for them, and they come when others have the processor."""


@asynccontextmanager
async def open_shadow(settings: Settings, releases: Releases, run: Path) -> AsyncIterator[None]:
    """Lets a staged release answer samples of live requests, where that is wanted.

    It has a read path of its own, which reads sessions from Redis and counts nowhere.
    """
    if not settings.releases.shadow_share:
        yield
        return
    clock = time.time
    its = settings.redis.model_copy(update=SHADOW_REDIS)
    with redis_url(its, shared=True) as url:
        async with open_client(options_of(its, url)) as redis:
            sessions = RedisSessions(redis, keep_of(settings.sessions), clock)
            patient = settings.model_copy(update={"redis": its})
            trends = Trends(RedisTrends(redis, TREND_TTL_S), releases, clock)
            page = page_of(patient, RedisPages(redis, 0))
            shared = Shared(releases, clock, lookup_of(patient, sessions), page, trends)
            recommend = _by_scenario(make_scenarios(patient, shared))
            async with living(trends.run()), listening(run, releases.live.name, recommend):
                yield


def _by_scenario(scenarios: Mapping[str, Scenario]) -> Recommend:
    """Answers as the live release does; a word that is no scenario is a label."""

    async def recommend(request: Request, trace: Trace) -> Recommendation:
        scenario = scenarios.get(request.scenario, scenarios[DEFAULT])
        return await scenario.pipeline.recommend(request, trace)

    return recommend

"""The composition root: builds every part from the settings, opens and closes them in order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from service.errors import ReleaseRefused, StoreUnavailable
from service.impressions.files import RotatedFiles
from service.impressions.log import ImpressionLog
from service.ingest import EventRules, Ingest, Patience
from service.items import Items
from service.monitoring.metrics import Metrics
from service.monitoring.processes import FOLDER
from service.monitoring.pulse import feel_pulse
from service.people import People
from service.pipeline import Pipeline
from service.ports.admin import ReleaseAdmin
from service.ports.serving import Clock, Release, Releases
from service.ports.stores import PageStore, SessionStore
from service.releases.manager import SingleRelease
from service.releases.store import open_store
from service.releases.watch import Watch
from service.settings.scenarios import DEFAULT
from service.settings.stores import Sessions
from service.settings.tree import Settings
from service.shadow.sampler import Sampler
from service.stages.identify import Identify
from service.stores.cache import CachedSessions
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster, open_client
from service.stores.identities import RedisIdentities
from service.stores.items import RedisItems
from service.stores.pages import RedisPages
from service.stores.redis import RedisSessions
from service.stores.trends import RedisTrends
from service.trends import TREND_TTL_S, Trends
from service.wiring.lives import living
from service.wiring.read_path import Scenario, Shared, lookup_of, make_scenarios, page_of
from service.wiring.redis import keep_of, options_of, redis_url

START_PAUSE_S = 0.02
START_PATIENCE_S = 3.0
"""A worker waits so long for a Redis that does not answer; others answer meanwhile."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of a worker among the processes of a service.

    Attributes:
        live: the release that its host has loaded; a worker never has another.
        admin: the supervisor.
        run: the folder where the processes meet.
    """

    live: Release
    admin: ReleaseAdmin
    run: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """What the HTTP edge works with."""

    settings: Settings
    releases: Releases
    redis: RedisClient | RedisCluster
    scenarios: Mapping[str, Scenario]
    ingest: Ingest
    items: Items
    people: People
    metrics: Metrics
    clock: Clock
    admin: ReleaseAdmin
    shadow: Sampler
    watch: Watch
    impressions: ImpressionLog
    pages: PageStore
    trends: Trends

    @property
    def pipeline(self) -> Pipeline:
        """The read path of whoever names no scenario."""
        return self.scenarios[DEFAULT].pipeline


@asynccontextmanager
async def open_parts(settings: Settings, seat: Seat | None = None) -> AsyncIterator[Parts]:
    """Opens the release first (what is wrong with it is said before anything is started).

    Args:
        settings: all of them.
        seat: None for a service that is one process and loads its release itself.

    Raises:
        SetupInvalid: no store, no CURRENT, or no embedded Redis.
        ReleaseRefused: the release may not go live.
    """
    metrics, clock = Metrics(None if seat is None else seat.run / FOLDER), time.time
    releases, admin = _releases(settings, seat, metrics)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(redis_url(settings.redis))
        redis = open_client(options_of(settings.redis, url), metrics)
        await stack.enter_async_context(redis)
        stored = RedisSessions(redis, keep_of(settings.sessions), clock)
        sessions = _cached(stored, settings.sessions.cache_ms / 1000)
        rules, patience = _event_rules(settings.sessions), make_patience(settings, metrics)
        ingest = Ingest(sessions, clock, rules, patience)
        items = Items(RedisItems(redis), releases, clock, metrics.items)
        pages = RedisPages(redis, settings.sessions.page_ttl_s)
        trends = Trends(RedisTrends(redis, TREND_TTL_S), releases, clock)
        impressions = _impressions(settings, metrics)
        await _catch_up(items, START_PATIENCE_S if seat else 0.0)
        lookup, page = lookup_of(settings, sessions), page_of(settings, pages)
        scenarios = make_scenarios(settings, Shared(releases, clock, lookup, page, trends))
        changed = _forgetting(sessions, lookup.identify)
        people = People(_identities(redis, stored, settings, changed))
        shadow = _sampler(settings, seat, releases.live, metrics)
        watch = Watch(releases, metrics.operator, settings.releases.probe_every_s)
        pulse = feel_pulse(metrics.process)
        lives = (items.run(), pulse, shadow.run(), watch.run(), impressions.run(), pages.run())
        await stack.enter_async_context(living(*lives, trends.run()))
        yield Parts(
            *(settings, releases, redis, scenarios, ingest, items, people, metrics, clock),
            admin=admin,
            shadow=shadow,
            watch=watch,
            impressions=impressions,
            pages=pages,
            trends=trends,
        )


def _impressions(settings: Settings, metrics: Metrics) -> ImpressionLog:
    its = settings.impressions
    folder = its.folder or settings.redis.var_dir / "impressions"
    files = RotatedFiles(folder, its.file_bytes, its.total_bytes)
    return ImpressionLog(files, its.share, metrics.lines_dropped)


def _sampler(settings: Settings, seat: Seat | None, live: Release, metrics: Metrics) -> Sampler:
    run = seat.run if seat else None
    return Sampler(run, settings.releases.shadow_share, live.name, metrics.operator.shadow)


async def _catch_up(items: Items, patience_s: float) -> None:
    """What is sold out is known before the first answer, unless Redis is down for longer."""
    until_s = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(StoreUnavailable):
            await items.catch_up()
            return
        if time.monotonic() >= until_s:
            return
        await asyncio.sleep(START_PAUSE_S)


def _releases(
    settings: Settings, seat: Seat | None, metrics: Metrics
) -> tuple[Releases, ReleaseAdmin]:
    if seat is not None:
        return seat, seat.admin
    alone = SingleRelease(open_store(settings.releases.store, settings.redis.var_dir / "releases"))
    try:
        metrics.release_live(alone.start(settings.releases.name))
        metrics.swaps.swapped("ok")
    except ReleaseRefused as error:
        metrics.release_refused(error.reason)
        raise
    return alone, alone


def make_patience(settings: Settings, metrics: Metrics) -> Patience:
    """How events wait for Redis."""
    wait_s = settings.redis.write_wait_ms / 1000
    return Patience(wait_s, settings.limits.events_waiting, metrics.events_waiting)


def _identities(
    redis: RedisClient | RedisCluster,
    sessions: RedisSessions,
    settings: Settings,
    changed: Callable[[Sequence[str]], None],
) -> RedisIdentities:
    its = settings.sessions
    return RedisIdentities(redis, sessions, its.ids_kept, its.ttl_s, changed)


def _forgetting(sessions: SessionStore, identify: Identify) -> Callable[[Sequence[str]], None]:
    """Makes everything in this process forget people."""

    def forget(users: Sequence[str]) -> None:
        identify.forget(users)
        if isinstance(sessions, CachedSessions):
            sessions.drop(users)

    return forget


def _cached(stored: SessionStore, cache_s: float) -> SessionStore:
    return CachedSessions(stored, cache_s) if cache_s else stored


def _event_rules(settings: Sessions) -> EventRules:
    return EventRules(settings.late_after_s, settings.future_after_s)

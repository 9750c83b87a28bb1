"""The composition root: builds every part from the settings, opens and closes them in order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from service.errors import ReleaseRefused, StoreUnavailable
from service.impressions.files import RotatedFiles
from service.impressions.log import ImpressionLog
from service.ingest import EventRules, Ingest, Patience
from service.items import Items
from service.monitoring.metrics import Metrics
from service.people import People
from service.pipeline import Pipeline
from service.ports.serving import Clock
from service.ports.stores import PageStore, SessionStore
from service.releases.manager import ReleaseManager
from service.scenarios import Scenario, Shared, make_scenarios
from service.settings.scenarios import DEFAULT
from service.settings.stores import Redis, Sessions
from service.settings.tree import Settings
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.stores.cache import CachedSessions
from service.stores.client import RedisClient, RedisOptions
from service.stores.cluster import RedisCluster, open_client
from service.stores.codec import Keep
from service.stores.embedded import embedded_redis, running_redis
from service.stores.identities import RedisIdentities
from service.stores.items import RedisItems
from service.stores.pages import RedisPages
from service.stores.redis import RedisSessions
from service.stores.trends import RedisTrends
from service.trends import HOUR_S, HOURS, Trends

BACKFILL_TIMEOUT_S = 5.0
"""A backfill may wait for a busy Redis; nobody waits for the backfill."""
TREND_TTL_S = (HOURS + 1) * HOUR_S


@dataclass(frozen=True, slots=True)
class Parts:
    """What the HTTP edge works with."""

    settings: Settings
    releases: ReleaseManager
    redis: RedisClient | RedisCluster
    scenarios: Mapping[str, Scenario]
    ingest: Ingest
    items: Items
    people: People
    metrics: Metrics
    clock: Clock
    impressions: ImpressionLog
    pages: PageStore
    trends: Trends

    @property
    def pipeline(self) -> Pipeline:
        """The read path of whoever names no scenario."""
        return self.scenarios[DEFAULT].pipeline


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Opens the release first (what is wrong with it is said before anything is started).

    Raises:
        SetupInvalid: no store, no CURRENT, or no embedded Redis.
        ReleaseRefused: the release may not go live.
    """
    metrics, clock = Metrics(), time.time
    releases = _releases(settings, metrics)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(_redis_url(settings.redis))
        redis = open_client(_options(settings.redis, url), metrics)
        await stack.enter_async_context(redis)
        stored = RedisSessions(redis, _keep(settings.sessions), clock)
        sessions = _cached(stored, settings.sessions.cache_ms / 1000)
        rules, patience = _event_rules(settings.sessions), make_patience(settings, metrics)
        ingest = Ingest(sessions, clock, rules, patience)
        items = Items(RedisItems(redis), releases, clock, metrics.items)
        with contextlib.suppress(StoreUnavailable):  # sold out before the first answer
            await items.catch_up()
        stack.push_async_callback(_end, asyncio.create_task(items.run()))
        identify = Identify(settings.sessions.links_remembered)
        pages = RedisPages(redis, settings.sessions.page_ttl_s)
        stack.push_async_callback(_end, asyncio.create_task(pages.run()))
        read_timeout_s = settings.redis.read_timeout_ms / 1000
        lookup = Lookup(sessions, read_timeout_s, identify)
        trends = Trends(RedisTrends(redis, TREND_TTL_S), releases, clock)
        stack.push_async_callback(_end, asyncio.create_task(trends.run()))
        page = Page(pages, read_timeout_s)
        scenarios = make_scenarios(settings, Shared(releases, clock, lookup, page, trends))
        changed = _forgetting(sessions, identify)
        people = People(_identities(redis, stored, settings, changed))
        impressions = make_impressions(settings, metrics)
        stack.push_async_callback(_end, asyncio.create_task(impressions.run()))
        yield Parts(
            *(settings, releases, redis, scenarios, ingest, items, people, metrics, clock),
            *(impressions, pages, trends),
        )


@asynccontextmanager
async def open_ingest(
    settings: Settings, late_after_s: float, wait_s: float
) -> AsyncIterator[Ingest]:
    """The write path alone, without a release, for backfills: patient, and open to old events.

    Writes to the private Redis of a running service if there is one.

    Raises:
        SetupInvalid: no Redis to write to.
    """
    clock = time.time
    rules = EventRules(late_after_s, settings.sessions.future_after_s)
    with _redis_url(settings.redis, shared=True) as url:
        options = replace(_options(settings.redis, url), write_timeout_s=BACKFILL_TIMEOUT_S)
        async with open_client(options) as redis:
            sessions = RedisSessions(redis, _keep(settings.sessions), clock)
            patience = Patience(wait_s, settings.limits.events_waiting)
            yield Ingest(sessions, clock, rules, patience)


def make_impressions(settings: Settings, metrics: Metrics) -> ImpressionLog:
    """The impression log of this process."""
    its = settings.impressions
    folder = its.folder or settings.redis.var_dir / "impressions"
    files = RotatedFiles(folder, its.file_bytes, its.total_bytes)
    return ImpressionLog(files, its.share, metrics.lines_dropped)


def _releases(settings: Settings, metrics: Metrics) -> ReleaseManager:
    releases = ReleaseManager(settings.releases.store)
    try:
        metrics.release_live(releases.start(settings.releases.name))
    except ReleaseRefused as error:
        metrics.release_refused(error.reason)
        raise
    return releases


@contextlib.contextmanager
def _redis_url(settings: Redis, shared: bool = False) -> Iterator[str]:
    url = settings.url or (running_redis(settings.var_dir) if shared else None)
    if url is not None:
        yield url
        return
    with embedded_redis(settings.var_dir) as url:
        yield url


def _options(settings: Redis, url: str) -> RedisOptions:
    return RedisOptions(
        url=url,
        connect_timeout_s=settings.connect_timeout_ms / 1000,
        socket_timeout_s=settings.socket_timeout_ms / 1000,
        read_timeout_s=settings.read_timeout_ms / 1000,
        write_timeout_s=settings.write_timeout_ms / 1000,
        pool_size=settings.pool_size,
        pool_wait_s=settings.pool_wait_ms / 1000,
        breaker_failures=settings.breaker_failures,
        breaker_open_s=settings.breaker_open_s,
        breaker_open_max_s=settings.breaker_open_max_s,
    )


def _keep(settings: Sessions) -> Keep:
    return Keep(
        actions=settings.actions_kept,
        purchased=settings.purchased_kept,
        seen=settings.seen_kept,
        ttl_s=settings.ttl_s,
        dedupe_s=settings.dedupe_s,
    )


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


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

"""The write path alone, for backfills."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from service.ingest import EventRules, Ingest, Patience
from service.settings.tree import Settings
from service.stores.cluster import open_client
from service.stores.redis import RedisSessions
from service.wiring.redis import keep_of, options_of, redis_url

BACKFILL_TIMEOUT_S = 5.0
"""A backfill may wait for a busy Redis; nobody waits for the backfill."""


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
    with redis_url(settings.redis, shared=True) as url:
        options = replace(options_of(settings.redis, url), write_timeout_s=BACKFILL_TIMEOUT_S)
        async with open_client(options) as redis:
            sessions = RedisSessions(redis, keep_of(settings.sessions), clock)
            patience = Patience(wait_s, settings.limits.events_waiting)
            yield Ingest(sessions, clock, rules, patience)

"""Where Redis is, how long it is waited for, and what is kept there."""

import contextlib
from collections.abc import Iterator

from service.settings.stores import Redis, Sessions
from service.stores.client import RedisOptions
from service.stores.codec import Keep
from service.stores.embedded import embedded_redis, running_redis


@contextlib.contextmanager
def redis_url(settings: Redis, shared: bool = False) -> Iterator[str]:
    """The Redis that is set, or a private one, which is started here unless `shared` finds one.

    Raises:
        SetupInvalid: no private one can be started.
    """
    url = settings.url or (running_redis(settings.var_dir) if shared else None)
    if url is not None:
        yield url
        return
    with embedded_redis(settings.var_dir) as url:
        yield url


def options_of(settings: Redis, url: str) -> RedisOptions:
    """Bounds in seconds."""
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


def keep_of(settings: Sessions) -> Keep:
    """How much is kept of a person."""
    return Keep(
        actions=settings.actions_kept,
        purchased=settings.purchased_kept,
        seen=settings.seen_kept,
        ttl_s=settings.ttl_s,
        dedupe_s=settings.dedupe_s,
    )

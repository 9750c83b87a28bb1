"""Settings of the stores: where sessions live, and what is kept of a person."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from service.settings.base import Slice, key

REDIS_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)


def _redis_url(url: str) -> str:
    if urlsplit(url).scheme not in REDIS_SCHEMES:
        raise ValueError(f"a URL that starts with {'://, '.join(REDIS_SCHEMES)}:// is needed")
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class Redis(Slice):
    """Where sessions live, and how long the service waits for them."""

    url: RedisUrl | None = key(
        None, "URL", "Redis to use; unset starts a private server. REDIS_URL works too.", repr=False
    )
    var_dir: Path = key(Path("var"), "folder", "Socket and data of the private Redis server.")
    connect_timeout_ms: float = key(20.0, "ms", "Limit for opening a connection.", gt=0, le=5000)
    socket_timeout_ms: float = key(20.0, "ms", "Limit for one reply on a socket.", gt=0, le=5000)
    read_timeout_ms: float = key(
        10.0, "ms", "Limit for the whole session read; then the request goes on.", gt=0, le=1000
    )
    write_timeout_ms: float = key(
        200.0, "ms", "Limit for storing events; then the answer is 503.", gt=0, le=10_000
    )
    write_wait_ms: float = key(
        2000.0, "ms", "How long events wait for a Redis that is down; then 503.", ge=0, le=60_000
    )
    pool_size: int = key(32, "connections", "Connections of one process.", ge=1, le=1000)
    pool_wait_ms: float = key(5.0, "ms", "Wait for a free connection.", ge=0, le=1000)
    breaker_failures: int = key(5, "failures", "In a row, they open the breaker.", ge=1, le=1000)
    breaker_open_s: float = key(1.0, "s", "Pause before the first new try.", gt=0, le=60)
    breaker_open_max_s: float = key(30.0, "s", "Longest pause; it doubles up to it.", gt=0, le=600)

    @model_validator(mode="after")
    def _pauses_fit(self) -> Self:
        if self.breaker_open_max_s < self.breaker_open_s:
            raise ValueError("breaker_open_max_s must not be below breaker_open_s")
        return self


class Sessions(Slice):
    """What is kept of a person, and for how long."""

    actions_kept: int = key(50, "actions", "Newest actions kept per person.", ge=1, le=200)
    purchased_kept: int = key(500, "items", "Bought items kept per person.", ge=1, le=5000)
    seen_kept: int = key(200, "items", "Seen items kept per person.", ge=1, le=5000)
    ttl_s: int = key(
        90 * 86_400, "s", "Life of a session after its last event.", ge=60, le=5 * 31_536_000
    )
    dedupe_s: int = key(86_400, "s", "How long an event id counts once.", ge=1, le=7 * 86_400)
    cache_ms: float = key(
        250.0,
        "ms",
        "Age that a session may have for who is read more than four times a second; 0 is off.",
        ge=0,
        le=5000,
    )
    late_after_s: int = key(
        31_536_000, "s", "Events older than this are rejected as late.", ge=60, le=10 * 31_536_000
    )
    future_after_s: int = key(
        300, "s", "Events further ahead than this are rejected as future.", ge=0, le=86_400
    )
    page_ttl_s: int = key(
        1800, "s", "How long a list can be continued by its id; 0 is off.", ge=0, le=86_400
    )
    gap_s: int = key(1800, "s", "A longer pause than this ends a visit.", ge=60, le=86_400)

    ids_kept: int = key(
        8, "ids", "Anonymous ids linked to one account; the oldest give way.", ge=1, le=16
    )
    links_remembered: int = key(
        10_000, "people", "Linked people remembered, so that one round trip reads them.", ge=0
    )

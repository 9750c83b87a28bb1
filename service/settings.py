"""One typed tree of settings, read once at start; every key has a default, bounds and a unit."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.errors import SetupInvalid

PREFIX = "SIGHTLINE_"
DELIMITER = "__"
REDIS_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
RELEASE_NAME = r"^[a-z0-9][a-z0-9.-]{0,63}$"
PLATFORM_NAMES = {"PORT": ("server", "port"), "REDIS_URL": ("redis", "url")}
"""Names that hosting platforms set; used where the SIGHTLINE_ name is not."""


def _redis_url(url: str) -> str:
    if urlsplit(url).scheme not in REDIS_SCHEMES:
        raise ValueError(f"a URL that starts with {'://, '.join(REDIS_SCHEMES)}:// is needed")
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(lambda level: level.lower() if isinstance(level, str) else level),
]


def key(default: object, unit: str, meaning: str, **bounds: Any) -> Any:
    """A setting: default, unit (empty for a plain word or number), one sentence, bounds."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit}, **bounds)


class Slice(BaseModel):
    """The settings of one part."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Server(Slice):
    """How the service listens."""

    host: str = key("127.0.0.1", "", "Address to listen on; 0.0.0.0 for all.", min_length=1)
    port: int = key(8000, "", "TCP port; 0 takes a free one. PORT works too.", ge=0, le=65535)
    log_level: LogLevel = key("info", "", "Least severe level that is logged.")
    log_share: float = key(
        0.0, "share", "Share of requests that get one JSON log line at level info.", ge=0, le=1
    )
    docs_enabled: bool = key(True, "", "Whether /docs and /openapi.json exist.")


class Releases(Slice):
    """Which release is served."""

    store: Path = key(Path("models/demo/store"), "folder", "Folder that holds the releases.")
    name: str | None = key(
        None, "", "Release to serve; unset follows CURRENT in the store.", pattern=RELEASE_NAME
    )


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
    gap_s: int = key(1800, "s", "A longer pause than this ends a visit.", ge=60, le=86_400)

    ids_kept: int = key(
        8, "ids", "Anonymous ids linked to one account; the oldest give way.", ge=1, le=16
    )
    links_remembered: int = key(
        10_000, "people", "Linked people remembered, so that one round trip reads them.", ge=0
    )


class PipelineSettings(Slice):
    """How candidates are found, filtered and ordered."""

    overfetch: float = key(3.0, "times k", "Neighbours fetched for each item wanted.", ge=1, le=20)
    sparse_below: int = key(5, "interactions", "Below this a person counts as sparse.", ge=1, le=10)
    power_from: int = key(50, "interactions", "From this on somebody is power.", ge=2, le=10_000)
    stale_after_s: int = key(
        90 * 86_400, "s", "A person silent for longer counts as stale.", ge=3600, le=10 * 31_536_000
    )
    stale_popular_share: float = key(
        0.5, "share", "Share of popular items among the candidates of stale people.", ge=0, le=1
    )
    timeout_ms: float = key(
        50.0, "ms", "Time for an answer when the request names none.", ge=2, le=1000
    )
    purchase_cooldown_s: int = key(
        86_400, "s", "How long a bought item stays away where repeats make sense.", ge=0
    )
    seen_window_s: int = key(604_800, "s", "How far back exclude_seen looks.", ge=0)
    explore_share: float = key(0.05, "share", "Share of explored slots.", ge=0, le=0.5)
    category_share: float = key(0.4, "share", "Largest share of one category.", gt=0, le=1)
    seller_top10: int = key(3, "items", "Most items of one seller in the top 10.", ge=1, le=10)
    again_share: float = key(0.5, "share", "Largest share of the person's own items.", ge=0, le=1)

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        if self.power_from <= self.sparse_below:
            raise ValueError("power_from must be above sparse_below")
        return self


class Limits(Slice):
    """How large a request may be; each can be lowered, the bound is the contract's wall."""

    body_bytes: int = key(65_536, "bytes", "Largest body.", ge=1024, le=1_048_576)
    events_body_bytes: int = key(262_144, "bytes", "The same for events.", ge=1024, le=4_194_304)
    k_max: int = key(500, "items", "Most items in one answer.", ge=1, le=500)
    events_max: int = key(500, "events", "Most events in one call.", ge=1, le=500)
    person_events_per_s: float = key(50.0, "events/s", "Events taken of one person.", gt=0)
    person_events_burst: int = key(1000, "events", "Events of one person at once.", ge=1)
    events_waiting: int = key(
        5000, "events", "Most events that wait for Redis; more are refused at once.", ge=0
    )
    id_chars: int = key(256, "characters", "Longest id.", ge=1, le=256)
    excluded_max: int = key(500, "items", "Most excluded items.", ge=0, le=500)
    recent_actions_max: int = key(50, "actions", "Most actions brought along.", ge=0, le=50)


class PlatformSource(InitSettingsSource):
    """Reads PORT and REDIS_URL."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        found: dict[str, Any] = {}
        for name, (part, field) in PLATFORM_NAMES.items():
            if os.environ.get(name):
                found.setdefault(part, {})[field] = os.environ[name]
        super().__init__(settings_cls, found)


class Settings(BaseSettings):
    """All settings; the environment name of a key is SIGHTLINE_<PART>__<KEY>."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    server: Server = Server()
    releases: Releases = Releases()
    redis: Redis = Redis()
    sessions: Sessions = Sessions()
    pipeline: PipelineSettings = PipelineSettings()
    limits: Limits = Limits()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then SIGHTLINE_ names, then the names of hosting platforms."""
        return init_settings, env_settings, PlatformSource(settings_cls)


def keys() -> Iterator[tuple[str, str, FieldInfo]]:
    """Every setting as (part, key, declaration), in the order of the tree."""
    for part, info in Settings.model_fields.items():
        slice_type = info.annotation
        assert isinstance(slice_type, type) and issubclass(slice_type, Slice)
        for name, field in slice_type.model_fields.items():
            yield part, name, field


def environment_name(part: str, name: str) -> str:
    return f"{PREFIX}{part}{DELIMITER}{name}".upper()


def load_settings(overrides: Mapping[str, Mapping[str, object]] | None = None) -> Settings:
    """Reads the environment; `overrides` (part -> key -> value, from the command line) win.

    Raises:
        SetupInvalid: names everything that is wrong, one line each.
    """
    wrong = {name: f"{name}: {hint}" for name, hint in _unknown_names()}
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(overrides or {})
    except ValidationError as error:
        for problem in error.errors():
            name, sentence = _sentence(problem)
            if problem["loc"] or not wrong:
                wrong.setdefault(name, sentence)
    if settings is None or wrong:
        raise SetupInvalid("settings are wrong:\n  " + "\n  ".join(wrong.values()))
    return settings


def _unknown_names() -> Iterator[tuple[str, str]]:
    """SIGHTLINE_ variables that are no setting, with a hint each."""
    known = {environment_name(part, name) for part, name, _ in keys()}
    for name in sorted(os.environ):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in known:
            near = difflib.get_close_matches(upper, known, n=1)
            yield name, "no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _sentence(problem: ErrorDetails) -> tuple[str, str]:
    """Environment name of a key and what is wrong with its value."""
    where = [str(step) for step in problem["loc"]]
    name = (PREFIX + DELIMITER.join(where)).upper()
    text = re.sub("^Value error, ", "", problem["msg"])
    is_value = len(where) > 1 and where[-1] != "url"  # a URL may carry a password
    given = f" (it is {str(problem['input'])[:80]!r})" if is_value else ""
    return name, f"{name}: {text[:1].lower()}{text[1:]}{given}"

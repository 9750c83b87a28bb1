"""One typed tree of settings, read once at start; every key has a default, bounds and a unit."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.errors import SetupInvalid
from service.settings.base import Slice
from service.settings.pipeline import Impressions, PipelineSettings
from service.settings.processes import Processes
from service.settings.serving import Limits, Releases, Server
from service.settings.stores import Redis, Sessions

PREFIX = "SIGHTLINE_"
DELIMITER = "__"
SECRET_KEYS = ("url", "admin_token")
"""Their values are never shown; a URL may carry a password."""
PLATFORM_NAMES = {"PORT": ("server", "port"), "REDIS_URL": ("redis", "url")}
"""Names that hosting platforms set; used where the SIGHTLINE_ name is not."""


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
    processes: Processes = Processes()
    releases: Releases = Releases()
    redis: Redis = Redis()
    sessions: Sessions = Sessions()
    pipeline: PipelineSettings = PipelineSettings()
    limits: Limits = Limits()
    impressions: Impressions = Impressions()

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
    is_value = len(where) > 1 and where[-1] not in SECRET_KEYS
    given = f" (it is {str(problem['input'])[:80]!r})" if is_value else ""
    return name, f"{name}: {text[:1].lower()}{text[1:]}{given}"

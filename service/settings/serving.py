"""Settings of the edge: how the service listens, what it serves, how large a request may be."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator

from service.settings.base import Slice, key

RELEASE_NAME = r"^[a-z0-9][a-z0-9.-]{0,63}$"

LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(lambda level: level.lower() if isinstance(level, str) else level),
]


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


class Limits(Slice):
    """How large a request may be; each can be lowered, the bound is the contract's wall."""

    body_bytes: int = key(65_536, "bytes", "Largest body.", ge=1024, le=1_048_576)
    events_body_bytes: int = key(262_144, "bytes", "The same for events.", ge=1024, le=4_194_304)
    k_max: int = key(500, "items", "Most items in one answer.", ge=1, le=500)
    batch_max: int = key(50, "requests", "Most requests in one batch.", ge=1, le=100)
    events_max: int = key(500, "events", "Most events in one call.", ge=1, le=500)
    person_events_per_s: float = key(50.0, "events/s", "Events taken of one person.", gt=0)
    person_events_burst: int = key(1000, "events", "Events of one person at once.", ge=1)
    events_waiting: int = key(
        5000, "events", "Most events that wait for Redis; more are refused at once.", ge=0
    )
    id_chars: int = key(256, "characters", "Longest id.", ge=1, le=256)
    excluded_max: int = key(500, "items", "Most excluded items.", ge=0, le=500)
    recent_actions_max: int = key(50, "actions", "Most actions brought along.", ge=0, le=50)

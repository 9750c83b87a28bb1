"""Settings of the edge: how the service listens, what it serves, how large a request may be."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, SecretStr, model_validator

from service.settings.base import Slice, key

RELEASE_NAME = r"^[a-z0-9][a-z0-9.-]{0,63}$"
TOKEN_CHARS_MIN = 32

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
    admin_token: SecretStr | None = key(
        None, "", "Bearer token for changing releases over HTTP; unset, nobody can.", repr=False
    )
    admin_token_file: Path | None = key(
        None, "file", "The same in a file, one token per line, so that two can be valid at once."
    )

    def admin_tokens(self) -> tuple[SecretStr, ...]:
        """All tokens that are valid.

        Raises:
            ValueError: the file cannot be read, holds none, or one is too short to be safe.
        """
        if self.admin_token is not None:
            tokens = [self.admin_token.get_secret_value()]
        else:
            tokens = [] if self.admin_token_file is None else _lines(self.admin_token_file)
        if any(len(token) < TOKEN_CHARS_MIN for token in tokens):
            raise ValueError(
                f"a token needs {TOKEN_CHARS_MIN} characters or more: `openssl rand -hex 32`"
            )
        return tuple(SecretStr(token) for token in tokens)

    @model_validator(mode="after")
    def _tokens_fit(self) -> Self:
        if self.admin_token is not None and self.admin_token_file is not None:
            raise ValueError("set admin_token or admin_token_file, not both")
        self.admin_tokens()  # says what is wrong with them
        return self


def _lines(file: Path) -> list[str]:
    """The lines that are not empty.

    Raises:
        ValueError: the file cannot be read, or has none.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"admin_token_file {file} cannot be read ({error})") from error
    found = [line for line in lines if line]
    if not found:
        raise ValueError(f"admin_token_file {file} holds no token: write one to a line")
    return found


class Releases(Slice):
    """Which release is served."""

    store: str = key("models/demo/store", "folder or URL", "Where the releases are.", min_length=1)
    name: str | None = key(
        None, "", "Release to serve; unset follows CURRENT in the store.", pattern=RELEASE_NAME
    )
    follow_s: float = key(
        0.0, "s", "How often CURRENT is looked at, give or take a fifth; 0 never.", ge=0, le=86_400
    )
    keep_previous_warm: bool = key(
        False, "", "Whether the release that was live before stays in memory, for a fast rollback."
    )
    probe_every_s: float = key(
        300.0, "s", "How often the live release is asked its golden probes again.", gt=0, le=86_400
    )
    shadow_share: float = key(
        0.0, "share", "Share of recommend calls that staged releases answer too.", ge=0, le=1
    )


class Limits(Slice):
    """How large a request may be; each can be lowered, the bound is the contract's wall."""

    body_bytes: int = key(65_536, "bytes", "Largest body.", ge=1024, le=1_048_576)
    events_body_bytes: int = key(262_144, "bytes", "The same for events.", ge=1024, le=4_194_304)
    k_max: int = key(500, "items", "Most items in one answer.", ge=1, le=500)
    batch_max: int = key(50, "requests", "Most requests in one batch.", ge=1, le=100)
    events_max: int = key(500, "events", "Most events in one call.", ge=1, le=500)
    person_events_per_s: float = key(
        50.0, "events/s", "Events taken of one person by one worker.", gt=0
    )
    person_events_burst: int = key(1000, "events", "Events of one person at once.", ge=1)
    events_waiting: int = key(
        5000, "events", "Most events that wait for Redis; more are refused at once.", ge=0
    )
    id_chars: int = key(256, "characters", "Longest id.", ge=1, le=256)
    excluded_max: int = key(500, "items", "Most excluded items.", ge=0, le=500)
    recent_actions_max: int = key(50, "actions", "Most actions brought along.", ge=0, le=50)

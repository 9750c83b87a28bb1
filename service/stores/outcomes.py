"""How a Redis operation can end, in words of a closed set."""

from dataclasses import dataclass
from typing import Protocol

from redis import exceptions as errors

OUTCOMES: tuple[str, ...] = (
    "ok",
    "miss",
    "timeout",
    "refused",
    "pool_exhausted",
    "wrongtype",
    "corrupt",
    "readonly",
    "oom",
    "moved",
    "auth",
    "circuit_open",
    "other",
)
OPERATIONS: tuple[str, ...] = (
    *("read", "record", "identity", "item_read", "item_write", "page_read", "page_write"),
    *("trend_read", "trend_write", "health"),
)

_CLASSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((TimeoutError, errors.TimeoutError), "timeout"),
    (
        (
            errors.AuthenticationError,
            errors.AuthorizationError,
            errors.NoPermissionError,
            errors.AuthenticationWrongNumberOfArgsError,
        ),
        "auth",
    ),
    (errors.BusyLoadingError, "refused"),  # it reads its file, and will be back
    (errors.MaxConnectionsError, "pool_exhausted"),
    (errors.ReadOnlyError, "readonly"),
    (errors.OutOfMemoryError, "oom"),
    (
        (
            errors.AskError,  # MovedError is one
            errors.ClusterDownError,
            errors.TryAgainError,
            errors.ClusterCrossSlotError,
        ),
        "moved",
    ),
)
_ANSWERS = ("pool_exhausted", "readonly", "oom", "moved")
"""Outcomes that do not speak against the server."""
_REPLIES = (("WRONGTYPE", "wrongtype"), ("READONLY", "readonly"), ("OOM ", "oom"))
"""Words in replies that redis-py has no class for, or that come from inside a script."""


class StoreMetrics(Protocol):
    """What the stores report; the composition root passes the metrics registry."""

    def redis_operation(self, op: str, outcome: str, duration_s: float) -> None:
        """One operation of `OPERATIONS` ended with a word of `OUTCOMES`."""
        ...

    def breaker(self, state: str) -> None:
        """The breaker changed to `closed`, `half_open` or `open`; it starts closed."""
        ...


class NoMetrics:
    """Reports to nobody."""

    def redis_operation(self, op: str, outcome: str, duration_s: float) -> None:
        pass

    def breaker(self, state: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed operation; `is_down` says whether it speaks against the server's health."""

    outcome: str
    is_down: bool


def classify(error: Exception) -> Failure:
    """The word for an error. A server that replies is up, whatever it replies."""
    if isinstance(error, errors.ConnectionError) and "No connection available" in str(error):
        return Failure("pool_exhausted", is_down=False)
    for classes, outcome in _CLASSES:
        if isinstance(error, classes):
            return Failure(outcome, outcome not in _ANSWERS)
    if isinstance(error, errors.ConnectionError | OSError):
        return Failure("refused", is_down=True)
    for word, outcome in _REPLIES:
        if word in str(error):
            return Failure(outcome, is_down=False)
    return Failure("other", is_down=not isinstance(error, errors.ResponseError))

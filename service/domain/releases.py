"""What is known of the releases of a store: states, history, and what an operator asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ReleaseState(StrEnum):
    """Where a release stands."""

    LOADING = "loading"
    STAGED = "staged"
    LIVE = "live"
    PREVIOUS = "previous"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """One release as the service knows it.

    Attributes:
        reason: code of a refusal (`service.errors.ReleaseRefused`), empty otherwise.
        detail: one sentence that says why it was refused.
        facts: what its manifest says: embedding_version, items, trained_through, as_of.
    """

    name: str
    state: ReleaseState
    reason: str = ""
    detail: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of the history: what was live from when on, or was refused, and who asked.

    Attributes:
        at_s: epoch seconds.
        action: load, activate, rollback, start, follow (CURRENT changed), reload (SIGHUP).
        by: who asked, such as "http:10.0.0.7", "cli:root", "signal", "start".
        outcome: "live", "staged" or "refused".
        reason: code of a refusal, or the reason given for forcing an activation.
    """

    at_s: float
    release: str
    action: str
    by: str
    outcome: str
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReleasesOverview:
    """All releases met, oldest first, what is live, and the newest lines of the history."""

    live: str | None
    releases: tuple[ReleaseStatus, ...]
    history: tuple[HistoryEntry, ...] = ()

"""What the supervisor knows of releases: how each stands, and the history that outlives it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.domain.releases import HistoryEntry, ReleasesOverview, ReleaseState, ReleaseStatus
from service.errors import ReleaseRefused
from service.releases.history import History

HISTORY_SHOWN = 100
NAME_SHOWN = 80
FACTS = ("embedding_version", "items", "trained_through", "as_of")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants done with a release; the words of `HistoryEntry`."""

    action: str
    release: str
    by: str
    force: str = ""


class Register:
    """The states of all releases met, oldest first."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._states: dict[str, ReleaseStatus] = {}

    def overview(self) -> ReleasesOverview:
        states, history = tuple(self._states.values()), self._history.newest(HISTORY_SHOWN)
        live = (status.name for status in states if status.state is ReleaseState.LIVE)
        return ReleasesOverview(next(live, None), states, history)

    def status(self, name: str) -> ReleaseStatus:
        return self._states[name]

    def loading(self, wish: Wish) -> None:
        self._states[wish.release] = ReleaseStatus(wish.release, ReleaseState.LOADING)

    def staged(self, wish: Wish, facts: Mapping[str, object]) -> None:
        self._note(wish.release, ReleaseState.STAGED, facts)
        self._write(wish, "staged")

    def live(self, wish: Wish, facts: Mapping[str, object], former: str | None) -> None:
        """A release went live in the place of another, or of itself."""
        if former is not None and former != wish.release:
            self.gone(former)
        self._note(wish.release, ReleaseState.LIVE, facts)
        self._write(wish, "live", wish.force)

    def gone(self, name: str) -> None:
        """A release is not live, or not staged, any more."""
        was = self._states[name]
        state = ReleaseState.PREVIOUS if was.state is ReleaseState.LIVE else was.state
        self._states[name] = replace(was, state=state)

    def forget(self, name: str) -> None:
        """A release that was staged is no more."""
        self._states.pop(name, None)

    def refused(self, wish: Wish, error: ReleaseRefused, live: str | None) -> None:
        """A release may not go live; the live one stays what it is."""
        name = wish.release[:NAME_SHOWN]
        if name != live:
            refused = ReleaseStatus(name, ReleaseState.REFUSED, error.reason, str(error))
            self._states[name] = refused
        self._write(wish, "refused", error.reason, str(error))

    def live_before(self, live: str | None) -> str | None:
        """The release that was live before this one, also in an earlier life of the service."""
        entries = self._history.newest(HISTORY_SHOWN)
        return next((e.release for e in entries if e.outcome == "live" and e.release != live), None)

    def _note(self, name: str, state: ReleaseState, facts: Mapping[str, object]) -> None:
        shown = {fact: facts.get(fact) for fact in FACTS}
        self._states[name] = ReleaseStatus(name, state, facts=shown)

    def _write(self, wish: Wish, outcome: str, reason: str = "", detail: str = "") -> None:
        name = wish.release[:NAME_SHOWN]
        entry = HistoryEntry(time.time(), name, wish.action, wish.by, outcome, reason, detail)
        self._history.append(entry)

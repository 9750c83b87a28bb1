"""Holds the live release of this process, and the states of those it has met."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from service.errors import NotReady, ReleaseRefused, SetupInvalid
from service.ports.serving import Release
from service.releases.loader import load_release
from service.releases.manifest import is_release_name

CURRENT = "CURRENT"
NAME_LIMIT = 200


class ReleaseState(StrEnum):
    """Where a release stands."""

    STAGED = "staged"
    LIVE = "live"
    PREVIOUS = "previous"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """One release as this process knows it; `reason` and `detail` say why it was refused."""

    name: str
    state: ReleaseState
    reason: str = ""
    detail: str = ""


class ReleaseManager:
    """Loads releases of one store into this process (`service.ports.serving.Releases`).

    A release is loaded beside the live one and takes over by one assignment; a refusal leaves
    the live one untouched. Callers read `live` once per request and keep that value.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._live: Release | None = None
        self._staged: dict[str, Release] = {}
        self._states: dict[str, ReleaseStatus] = {}

    @property
    def live(self) -> Release:
        """The live release.

        Raises:
            NotReady: none has been activated yet.
        """
        if self._live is None:
            raise NotReady("no release is live yet")
        return self._live

    @property
    def states(self) -> Mapping[str, ReleaseStatus]:
        """Every release met so far, by name, oldest first."""
        return MappingProxyType(self._states)

    def start(self, name: str | None = None) -> Release:
        """Load a release and make it live: the one named, else the one that CURRENT names.

        Raises:
            SetupInvalid: the store or CURRENT is not there.
            ReleaseRefused: the release may not go live.
        """
        return self.activate(self.load(name or current_name(self._store)).name)

    def load(self, name: str) -> Release:
        """Check and load a release of the store; it is staged then.

        Raises:
            ReleaseRefused: it may not go live; its state says why, the live one goes on.
        """
        try:
            if not is_release_name(name):
                raise ReleaseRefused("name", f"{name[:80]!r} is no release name")
            release = load_release(self._store / name)
        except ReleaseRefused as error:
            self._refuse(name, error)
            raise
        self._staged[name] = release
        if self._live is None or self._live.name != name:
            self._states[name] = ReleaseStatus(name, ReleaseState.STAGED)
        return release

    def activate(self, name: str) -> Release:
        """Make a staged release the live one.

        Raises:
            NotReady: no release of this name is staged.
        """
        if name not in self._staged:
            raise NotReady(f"the release {name[:80]!r} is not staged: load it first")
        release = self._staged.pop(name)
        if self._live is not None and self._live.name != name:
            self._states[self._live.name] = ReleaseStatus(self._live.name, ReleaseState.PREVIOUS)
        self._states[name] = ReleaseStatus(name, ReleaseState.LIVE)
        self._live = release
        return release

    def _refuse(self, name: str, error: ReleaseRefused) -> None:
        if self._live is not None and self._live.name == name:
            return
        shown = name[:80]
        self._states[shown] = ReleaseStatus(shown, ReleaseState.REFUSED, error.reason, str(error))


def current_name(store: Path) -> str:
    """The release that a store calls current.

    Raises:
        SetupInvalid: no such store, no CURRENT, or CURRENT names nothing that can be a release.
    """
    fix = "build a release with `python -m models release --data DIR --out STORE`"
    if not store.is_dir():
        raise SetupInvalid(f"the store {store} is not a folder: {fix}")
    try:
        name = (store / CURRENT).read_text(encoding="utf-8")[:NAME_LIMIT].strip()
    except FileNotFoundError as error:
        raise SetupInvalid(f"the store {store} has no {CURRENT}: {fix}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SetupInvalid(f"{store / CURRENT} cannot be read ({error}): {fix}") from error
    if not is_release_name(name):
        raise SetupInvalid(
            f"{store / CURRENT} holds {name[:80]!r}, which is no release name: {fix}"
        )
    return name

"""The releases of a service that is one process: for tests and debugging."""

from service.domain.releases import ReleasesOverview, ReleaseState, ReleaseStatus
from service.errors import NotReady, ReleaseRefused
from service.ports.serving import Release
from service.releases.gate import check_promotion
from service.releases.loader import load_release
from service.releases.store import ReleaseStore

FACTS = ("embedding_version", "trained_through", "as_of")
SHOWN = 80
"""Characters of a name that may be anything."""


class SingleRelease:
    """Loads releases of a store into this process (`Releases` and `ReleaseAdmin` of the ports).

    A release is loaded beside the live one and takes over by one assignment; a refusal leaves
    the live one untouched. Callers read `live` once per request and keep that value. Requests wait
    while a release is loaded, so that whoever wants none to wait serves with a supervisor.
    """

    def __init__(self, store: ReleaseStore) -> None:
        self._store = store
        self._live: Release | None = None
        self._previous: str | None = None
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

    def start(self, name: str | None = None) -> Release:
        """Load a release and make it live: the one named, else the one that CURRENT names.

        Raises:
            SetupInvalid: the store or CURRENT is not there.
            ReleaseRefused: the release may not go live.
        """
        self._switch(self._load(name or self._store.current()))
        return self.live

    async def overview(self) -> ReleasesOverview:
        """All releases met, oldest first; one process keeps no history."""
        live = None if self._live is None else self._live.name
        return ReleasesOverview(live, tuple(self._states.values()))

    async def load(self, name: str, by: str) -> ReleaseStatus:
        """See `ReleaseAdmin.load`."""
        if not self._is_live(name):
            self._load(name)
        return self._states[name]

    async def activate(self, name: str, by: str, force: str = "") -> ReleaseStatus:
        """See `ReleaseAdmin.activate`."""
        if self._is_live(name):
            return self._states[name]
        release = self._staged.get(name) or self._load(name)
        if self._live is not None and not force:
            check_promotion(self._store.manifest(name), self._store.manifest(self._live.name))
        return self._switch(release)

    async def rollback(self, by: str) -> ReleaseStatus:
        """See `ReleaseAdmin.rollback`."""
        if self._previous is None:
            raise ReleaseRefused("missing", "no release was live before this one: activate one")
        return self._switch(self._load(self._previous))

    def _load(self, name: str) -> Release:
        try:
            release = load_release(self._store.fetch(name))
        except ReleaseRefused as error:
            self._refuse(name[:SHOWN], error)
            raise
        self._staged[name] = release
        self._note(release, ReleaseState.STAGED)
        return release

    def _switch(self, release: Release) -> ReleaseStatus:
        if self._live is not None and self._live.name != release.name:
            self._note(self._live, ReleaseState.PREVIOUS)
            self._previous = self._live.name
        self._staged.pop(release.name, None)
        self._live = release
        return self._note(release, ReleaseState.LIVE)

    def _note(self, release: Release, state: ReleaseState) -> ReleaseStatus:
        facts = {name: release.manifest[name] for name in FACTS}
        facts["items"] = release.catalogue.n_built
        status = ReleaseStatus(release.name, state, facts=facts)
        self._states[release.name] = status
        return status

    def _is_live(self, name: str) -> bool:
        return self._live is not None and self._live.name == name

    def _refuse(self, name: str, error: ReleaseRefused) -> None:
        self._states[name] = ReleaseStatus(name, ReleaseState.REFUSED, error.reason, str(error))

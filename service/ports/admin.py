"""The boundary between whoever operates the service and the processes that serve."""

from typing import Protocol

from service.domain.releases import ReleasesOverview, ReleaseStatus


class ReleaseAdmin(Protocol):
    """What an operator may do to the releases of this service, from any of its processes."""

    async def overview(self) -> ReleasesOverview:
        """All releases and their states."""
        ...

    async def load(self, name: str, by: str) -> ReleaseStatus:
        """Fetches, verifies and stages a release beside the live one; returns when it is ready.

        Raises:
            ReleaseRefused: it may not go live; the live one goes on.
            Busy: another release is being loaded or activated.
        """
        ...

    async def activate(self, name: str, by: str, force: str = "") -> ReleaseStatus:
        """Makes a release live, loading it first if it is not staged.

        `force` is the reason why a release that lost quality goes live all the same.

        Raises:
            ReleaseRefused: it may not go live, or the promotion gate objects ("gate_metrics").
            Busy: another release is being loaded or activated.
        """
        ...

    async def rollback(self, by: str) -> ReleaseStatus:
        """Makes the previous release live again.

        Raises:
            ReleaseRefused: there is none ("missing"), or it does not load any more.
            Busy: another release is being loaded or activated.
        """
        ...

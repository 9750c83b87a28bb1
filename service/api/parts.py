"""How routes reach the opened parts of the service."""

from service.errors import NotReady
from service.wiring.parts import Parts


class Access:
    """Holds the parts from start to stop; the routes are built before there are any."""

    __slots__ = ("_parts", "is_leaving")

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self.is_leaving = False

    @property
    def parts(self) -> Parts:
        """The parts.

        Raises:
            NotReady: the service is not started, or stopped.
        """
        if self._parts is None:
            raise NotReady("the service is not started")
        return self._parts

    def open(self, parts: Parts) -> None:
        self._parts = parts

    def leave(self) -> None:
        """Answers go on, but nobody should send new callers here."""
        self.is_leaving = True
        self.parts.metrics.ready(False)

    def close(self) -> None:
        self._parts = None

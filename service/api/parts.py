"""How routes reach the opened parts of the service."""

from service.errors import NotReady
from service.wiring import Parts


class Access:
    """Holds the parts from start to stop; the routes are built before there are any."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: Parts | None = None

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

    def close(self) -> None:
        self._parts = None

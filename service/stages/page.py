"""A list that goes on: what its pages have shown is not shown again."""

from dataclasses import dataclass

from service.domain.arrays import NO_HASHES, Hashes
from service.domain.deadlines import Deadline
from service.domain.requests import Request
from service.domain.traces import Trace
from service.errors import StoreUnavailable
from service.ports.stores import PageStore


@dataclass(frozen=True, slots=True)
class Page:
    """Reads what was shown within `timeout_s` and within what the request has left."""

    store: PageStore
    timeout_s: float

    async def __call__(self, request: Request, deadline: Deadline, trace: Trace) -> Hashes:
        """Hashes of the items shown, uint64 [n]; none, and `page`, when the list is forgotten.

        Raises:
            StoreUnavailable: the store does not answer in time.
        """
        if request.continues is None:
            return NO_HASHES
        timeout_s = min(self.timeout_s, deadline.left_s)
        if timeout_s <= 0.0:
            raise StoreUnavailable("timeout", "no time left to look up the pages before")
        shown = await self.store.read(request.continues, timeout_s)
        if shown is None:
            trace.degrade("page")
            return NO_HASHES
        return shown

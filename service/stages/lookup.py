"""What this person did lately, under all ids, together with what the caller brought along."""

from dataclasses import dataclass

from service.domain.deadlines import Deadline
from service.domain.identity import NOBODY, Person, merge, named_ids, person_of
from service.domain.sessions import Session
from service.domain.traces import Trace
from service.errors import StoreUnavailable
from service.ports.stores import SessionStore
from service.stages.identify import Identify


@dataclass(frozen=True, slots=True)
class Lookup:
    """Reads sessions within `timeout_s` and within what the request has left."""

    store: SessionStore
    timeout_s: float
    identify: Identify

    async def __call__(
        self, asking: Person, brought: Session, deadline: Deadline, trace: Trace
    ) -> tuple[Person, Session]:
        """The person and everything the person did.

        One round trip; a second one only when the first tells of linked ids that nobody
        remembered; none for nobody. If linked ids cannot be read, the answer is made without
        them and says `identity`.

        Raises:
            StoreUnavailable: the store does not answer in time.
        """
        user = asking.user
        if user is None:
            return NOBODY, brought
        sessions = await self._read(asking.ids, deadline)
        if user not in sessions:
            raise StoreUnavailable("other", "the session of the id itself cannot be read")
        if asking.ids == (user,) and not sessions[user].links:  # most people have one id
            trace.person = asking
            return asking, merge(sessions[user], brought)
        more = tuple(one for one in named_ids(user, sessions) if one not in sessions)
        if more:
            sessions |= await self._read_more(more, deadline)
        person = person_of(user, sessions)
        if person.unread:
            trace.degrade("identity")
        self.identify.remember(user, named_ids(user, sessions) if person.is_account else (user,))
        trace.person = person
        return person, merge(*(sessions[one] for one in person.ids), brought)

    async def _read(self, ids: tuple[str, ...], deadline: Deadline) -> dict[str, Session]:
        timeout_s = min(self.timeout_s, deadline.left_s)
        if timeout_s <= 0.0:
            raise StoreUnavailable("timeout", "no time left to look up the session")
        return dict(await self.store.read_all(ids, timeout_s))

    async def _read_more(self, ids: tuple[str, ...], deadline: Deadline) -> dict[str, Session]:
        try:
            return await self._read(ids, deadline)
        except StoreUnavailable:
            return {}

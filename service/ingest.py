"""The write path of what people did."""

import asyncio
import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.domain.actions import EVENT_TYPES
from service.domain.deadlines import Deadline
from service.domain.events import Event, EventOutcome
from service.errors import StoreUnavailable
from service.ports.serving import Clock
from service.ports.stores import SessionStore

ID_CHARS = 256
POLL_S = 0.05
"""How often a store that is down is asked again; while the breaker is open it costs nothing."""
HOPELESS = frozenset({"oom", "auth", "wrongtype", "other"})
"""Outcomes that waiting does not mend."""
NOT_IN_IDS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters (a line feed ends an id in the store) and halves of surrogate pairs."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that will never be stored: its position in the call, a code, a sentence."""

    index: int
    code: EventOutcome
    detail: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of each event of a call; `outcomes` has one word per event, in order."""

    outcomes: tuple[EventOutcome, ...]
    rejected: tuple[Rejected, ...] = ()

    @property
    def accepted(self) -> int:
        return self.outcomes.count(EventOutcome.STORED)

    @property
    def duplicates(self) -> int:
        return self.outcomes.count(EventOutcome.DUPLICATE)


@dataclass(frozen=True, slots=True)
class EventRules:
    """Which events are taken.

    Attributes:
        late_after_s: older ones are late.
        future_after_s: those further ahead are from the future; clocks differ a little.
    """

    late_after_s: float = 365 * 86_400
    future_after_s: float = 300.0

    def judge(self, event: Event, now_s: float) -> tuple[EventOutcome, str] | None:
        """Why an event is rejected: a code and a sentence; None when it is fine."""
        fault = _fault(event)
        if fault:
            return EventOutcome.INVALID, fault
        if event.at_s < now_s - self.late_after_s:
            return EventOutcome.LATE, f"older than {self.late_after_s:.0f} s"
        if event.at_s > now_s + self.future_after_s:
            return EventOutcome.FUTURE, f"more than {self.future_after_s:.0f} s ahead"
        return None


def _fault(event: Event) -> str:
    """What makes an event unusable, whoever sent it; empty when nothing does."""
    if event.event_type not in EVENT_TYPES:
        return f"event_type is none of {', '.join(EVENT_TYPES)}"
    if not math.isfinite(event.at_s) or event.at_s < 0:
        return "timestamp is no instant since 1970"
    if math.isinf(event.value):
        return "value is infinite"
    for name, text in (("event_id", event.event_id), ("item_id", event.item_id)):
        if not 1 <= len(text) <= ID_CHARS or NOT_IN_IDS.search(text):
            return f"{name} must be 1 to {ID_CHARS} characters without control characters"
    if NOT_IN_IDS.search(event.user) or not event.user:
        return "the person's id must not be empty or contain control characters"
    return ""


class Patience:
    """Room for events that wait for a store that is down: bounded in number and in time.

    Nothing is acknowledged before it is stored, so what waits is never lost in silence: its
    sender waits too, and is told when it was in vain.
    """

    def __init__(
        self, wait_s: float, events_max: int, report: Callable[[int], None] = lambda _: None
    ) -> None:
        """`report` is told how many events wait, whenever that changes."""
        self._wait_s, self._events_max = wait_s, events_max
        self._report = report
        self._waiting = 0

    async def record(
        self, store: SessionStore, events: Sequence[Event], within_s: float = math.inf
    ) -> list[EventOutcome]:
        """Stores events, now or as soon as the store is back; waits no longer than `within_s`.

        Raises:
            StoreUnavailable: it is not back in time, or too many events wait already.
        """
        deadline = Deadline.after(min(self._wait_s, within_s))
        try:
            return await store.record(events)
        except StoreUnavailable as error:
            if not self._may_wait(error, len(events), deadline):
                raise
        with self._room(len(events)):
            while not deadline.has_passed:
                await asyncio.sleep(min(POLL_S, max(0.0, deadline.left_s)))
                with contextlib.suppress(StoreUnavailable):
                    return await store.record(events)
        return await store.record(events)

    def _may_wait(self, error: StoreUnavailable, n: int, deadline: Deadline) -> bool:
        has_room = self._waiting + n <= self._events_max
        return has_room and not deadline.has_passed and error.outcome not in HOPELESS

    @contextlib.contextmanager
    def _room(self, n: int) -> Iterator[None]:
        self._waiting += n
        self._report(self._waiting)
        try:
            yield
        finally:
            self._waiting -= n
            self._report(self._waiting)


class Ingest:
    """Takes events. Sent = accepted + duplicates + rejected, always."""

    def __init__(
        self,
        store: SessionStore,
        clock: Clock,
        rules: EventRules | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._rules = rules or EventRules()
        self._patience = patience or Patience(0.0, 0)

    async def record(self, events: Sequence[Event], within_s: float = math.inf) -> IngestResult:
        """Stores the events that the rules let pass; items that no release knows are kept too.

        Args:
            events: of anybody.
            within_s: the caller waits no longer for a store that is down.

        Raises:
            StoreUnavailable: not all is known to be stored, even after waiting. Send everything
                again: what was stored then counts as a duplicate.
        """
        now_s = self._clock()
        outcomes: dict[int, EventOutcome] = {}
        rejected = []
        for index, event in enumerate(events):
            verdict = self._rules.judge(event, now_s)
            if verdict:
                outcomes[index] = verdict[0]
                rejected.append(Rejected(index, *verdict))
        taken = [index for index in range(len(events)) if index not in outcomes]
        if taken:
            kept = [events[index] for index in taken]
            stored = await self._patience.record(self._store, kept, within_s)
            outcomes.update(zip(taken, stored, strict=True))
        return IngestResult(tuple(outcomes[index] for index in range(len(events))), tuple(rejected))

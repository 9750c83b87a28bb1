"""The spare host: all is imported, and it waits to be told which release to load."""

import asyncio
import logging
import time
from collections.abc import Callable

from service.processes.backoff import Backoff
from service.processes.family import Family
from service.processes.priority import idle

log = logging.getLogger(__name__)


class Spare:
    """At most one: a family without a release, whose host has been told nothing yet.

    It starts while a core is idle, at first. One that dies is missed at once, then after pauses
    that double.
    """

    def __init__(self, start: Callable[[], Family]) -> None:
        self._start = start
        self._family: Family | None = None
        self._hurry: asyncio.TimerHandle | None = None
        self._started_s = 0.0
        self._pauses = Backoff()

    @property
    def is_missed(self) -> bool:
        """Whether one should be started now."""
        return self._family is None and not self._pauses.wait_s(time.monotonic())

    @property
    def pids(self) -> list[int]:
        """Of the spare, if there is one."""
        return [] if self._family is None else self._family.pids

    def start(self, idle_s: float) -> None:
        """Starts one, only when a core is idle for so long; the next release takes it."""
        family = self._family = self._start()
        self._started_s = time.monotonic()
        idle(family.host_pid)
        self._hurry = asyncio.get_running_loop().call_later(idle_s, family.hurry)

    def take(self) -> Family | None:
        """The spare, which is none any more."""
        family, self._family = self._family, None
        if self._hurry is not None:
            self._hurry.cancel()
        return family

    def drop(self) -> None:
        """Ends it: what it has imported may be out of date."""
        family = self.take()
        if family is not None:
            family.kill()

    def put_off(self, lived_s: float = 0.0) -> float:
        """One could not be started, or ended too soon; seconds until the next may be started."""
        now_s = time.monotonic()
        self._pauses.ended(lived_s, now_s)
        return self._pauses.wait_s(now_s)

    def ended(self, family: Family, how: str) -> None:
        """A host is gone: perhaps it was the spare one."""
        if family is not self._family:
            return
        self.take()
        wait_s = self.put_off(time.monotonic() - self._started_s)
        log.error("the spare host %s; another one is started after %.1f s", how, wait_s)

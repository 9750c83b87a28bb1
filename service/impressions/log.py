"""The impression log: what was shown, how it was drawn, and what came of it."""

import asyncio
from collections.abc import Callable

from service.domain.events import Event
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.impressions.files import RotatedFiles
from service.impressions.rows import FEEDBACK, feedback_line, impression_line
from service.ports.serving import Release

FLUSH_S = 1.0
"""A process that is killed loses what it showed within this time."""
WAITING_BYTES = 8 * 2**20
"""Lines that wait for a slow disk; more are dropped and counted."""
SCALE = 1 << 32


class ImpressionLog:
    """Takes lines on the hot path, writes them beside it; a disk that fails costs lines only."""

    def __init__(self, files: RotatedFiles, share: float, dropped: Callable[[int], None]) -> None:
        """Keeps a `share` of the lists, whole: with everything that became of them.

        `dropped` is told how many lines were lost.
        """
        self._files = files
        self._share = share
        self._dropped = dropped
        self._lines: list[bytes] = []
        self._waiting_bytes = 0

    def shown(
        self, request: Request, trace: Trace, answer: Recommendation, release: Release, at_s: float
    ) -> None:
        """A list that was sent."""
        if self._is_kept(answer.recommendation_id):
            self._add(impression_line(request, trace, answer, release, at_s))

    def happened(self, event: Event) -> None:
        """An event that names the list it came from."""
        if event.event_type in FEEDBACK and self._is_kept(event.recommendation_id):
            self._add(feedback_line(event))

    async def run(self) -> None:
        """Writes what has come in, until cancelled; then the rest."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await asyncio.to_thread(self._write, self._take())
        finally:
            self._write(self._take())

    def _take(self) -> list[bytes]:
        lines, self._lines, self._waiting_bytes = self._lines, [], 0
        return lines

    def _write(self, lines: list[bytes]) -> None:
        """A disk that cannot take them loses them, and the service goes on."""
        if not lines:
            return
        try:
            self._files.append(b"".join(lines))
        except OSError:
            self._dropped(len(lines))

    def _is_kept(self, recommendation_id: str) -> bool:
        """Ids are random, so their first digits are a fair draw that events repeat."""
        if not recommendation_id:
            return False
        try:
            return int(recommendation_id[:8], 16) < self._share * SCALE
        except ValueError:  # not one of ours
            return False

    def _add(self, line: bytes) -> None:
        if self._waiting_bytes + len(line) > WAITING_BYTES:
            self._dropped(1)
            return
        self._lines.append(line)
        self._waiting_bytes += len(line)

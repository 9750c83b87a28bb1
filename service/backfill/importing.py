"""Sends a file of events to the store, in batches, counting what became of each."""

import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from service.api.convert import Limits
from service.api.events import read_events
from service.backfill.rows import EventFile, Row
from service.domain.events import EventOutcome
from service.errors import StoreUnavailable
from service.ingest import Ingest
from service.ports.serving import Clock

BATCH = 1000
EXAMPLES = 5
TOLD_EVERY_S = 0.5
BAR_CHARS = 30


@dataclass(slots=True)
class Tally:
    """What became of the rows that were sent; `sent` is the sum of the other four, always."""

    sent: int = 0
    stored: int = 0
    duplicates: int = 0
    lost: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def reject(self, line: int, code: str, detail: str) -> None:
        self.rejected[code] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"line {line}: {code}: {detail}")

    def __str__(self) -> str:
        codes = ", ".join(f"{n:,} {code}" for code, n in self.rejected.most_common())
        return (
            f"{self.sent:,} sent = {self.stored:,} stored + {self.duplicates:,} duplicates + "
            f"{self.rejected.total():,} rejected{f' ({codes})' if codes else ''} + "
            f"{self.lost:,} lost"
        )


class Importer:
    """Writes through the same rules and the same script as `POST /v1/events`.

    A batch counts when the store has acknowledged it. While the store is down the ingest waits;
    when it waited in vain, the batch is lost and the import ends: running it again stores what is
    missing and nothing twice.
    """

    def __init__(self, ingest: Ingest, limits: Limits, clock: Clock) -> None:
        self._ingest, self._limits, self._clock = ingest, limits, clock

    async def run(self, file: EventFile, tally: Tally, tell: Callable[[], None]) -> None:
        """Sends all rows.

        Args:
            file: where the rows come from.
            tally: is filled in on the way, so that it is right however this ends.
            tell: called after every batch.

        Raises:
            SetupInvalid: the file cannot be read.
            StoreUnavailable: the store did not come back.
        """
        for rows in _batches(file.rows()):
            await self._send(rows, tally)
            tell()

    async def _send(self, rows: list[Row], tally: Tally) -> None:
        readable = [row for row in rows if not row.fault]
        batch = read_events([row.event for row in readable], self._limits, self._clock())
        tally.sent += len(rows)
        for row in rows:
            if row.fault:
                tally.reject(row.line, EventOutcome.INVALID, row.fault)
        for place, (code, detail) in batch.rejected.items():
            tally.reject(readable[place].line, code, detail)
        if not batch.events:
            return
        tally.lost += len(batch.events)  # until the opposite is known
        result = await self._ingest.record(batch.events)
        tally.lost -= len(batch.events)
        tally.stored += result.accepted
        tally.duplicates += result.duplicates
        for each in result.rejected:
            tally.reject(readable[batch.places[each.index]].line, each.code, each.detail)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


class Progress:
    """One line on a terminal, rewritten twice a second; nothing where nobody looks."""

    def __init__(self, file: EventFile, tally: Tally) -> None:
        self._file, self._tally = file, tally
        self._began_s = self._told_s = time.monotonic()
        self._is_watched = sys.stderr.isatty()

    def __call__(self) -> None:
        now_s = time.monotonic()
        if self._is_watched and now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            self._write(now_s)

    def end(self) -> None:
        if self._is_watched:
            self._write(time.monotonic())
            sys.stderr.write("\n")

    def _write(self, now_s: float) -> None:
        share, sent = self._file.share, self._tally.sent
        bar = "#" * int(share * BAR_CHARS)
        rate = sent / max(now_s - self._began_s, 0.001)
        sys.stderr.write(f"\r[{bar:.<{BAR_CHARS}}] {share:4.0%}  {sent:,} rows, {rate:,.0f}/s ")
        sys.stderr.flush()


async def import_events(ingest: Ingest, file: EventFile, limits: Limits, clock: Clock) -> bool:
    """Imports a file, shows the progress and prints the tally; False when something was lost.

    Raises:
        SetupInvalid: the file cannot be read.
    """
    tally = Tally()
    progress = Progress(file, tally)
    try:
        await Importer(ingest, limits, clock).run(file, tally, progress)
    except StoreUnavailable as error:
        sys.stderr.write(f"\nRedis did not come back ({error.outcome}).\n")
    finally:
        progress.end()
        sys.stdout.write(f"{tally}\n")
        for example in tally.examples:
            sys.stderr.write(f"{example}\n")
    if tally.rejected[EventOutcome.LATE]:
        sys.stderr.write("To take older events too, say --late-after-days.\n")
    if tally.lost:
        sys.stderr.write("Run the same command again: what is stored counts as a duplicate.\n")
    return not tally.lost

"""What was live when, and who asked: JSON lines that a kill cannot spoil."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path

from service.domain.releases import HistoryEntry

MAX_BYTES = 1_048_576
"""A full file becomes the older one, and the one before that goes: some 8,000 lines are kept."""

log = logging.getLogger(__name__)


class History:
    """The history of one service, in a file and the older one beside it.

    One process writes, any may read. A line cut off by a kill is skipped, and closed by the next
    entry. A disk that takes no more lines stops no release: the line is logged instead.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = path.with_name(f"{path.name}.1")

    def append(self, entry: HistoryEntry) -> None:
        """Adds an entry; it is on disk when this returns."""
        line = json.dumps(asdict(entry), ensure_ascii=True)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write(line.encode() + b"\n")
        except OSError as error:
            log.error("the release history %s cannot be written (%s): %s", self._path, error, line)

    def newest(self, n: int) -> tuple[HistoryEntry, ...]:
        """At most n entries, newest first."""
        return tuple(islice(chain(_entries(self._path), _entries(self._older)), n))

    def _write(self, line: bytes) -> None:
        if self._path.exists() and self._path.stat().st_size + len(line) > MAX_BYTES:
            self._path.replace(self._older)
        with self._path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            is_torn = file.read(1) not in (b"", b"\n")
            file.write(b"\n" + line if is_torn else line)
            file.flush()
            os.fsync(file.fileno())


def _entries(path: Path) -> Iterator[HistoryEntry]:
    """The entries of a file that can be read, newest first."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in reversed(lines):
        try:
            yield HistoryEntry(**json.loads(line))
        except (ValueError, TypeError):
            continue

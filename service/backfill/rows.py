"""Reads events from a file: CSV with a header or JSON lines, either of them gzipped."""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from service.errors import SetupInvalid

GZIP = b"\x1f\x8b"
FIELDS = ("event_id", "event_type", "user_id", "anonymous_id", "item_id", "timestamp", "value")
"""Columns that count; a CSV may have others, of which `session_id` tells equal rows apart."""
NEEDED = ("event_type", "item_id", "timestamp")
LINE_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Row:
    """What one line says, as `POST /v1/events` takes it; or why it cannot be read."""

    line: int
    event: Mapping[str, object]
    fault: str = ""


class EventFile:
    """A file of events; `share` tells how much of it was read."""

    def __init__(self, file: BinaryIO, size_bytes: int, name: str) -> None:
        self._file, self._size_bytes, self._name = file, size_bytes, name

    @property
    def share(self) -> float:
        """0 to 1, of the bytes on disk."""
        return min(1.0, self._file.tell() / self._size_bytes) if self._size_bytes else 1.0

    def rows(self) -> Iterator[Row]:
        """Every line that is not empty; the ids of events that have none are made from the row.

        Raises:
            SetupInvalid: it is no such file, or ends in the middle of compressed data.
        """
        is_packed = self._file.read(2) == GZIP
        self._file.seek(0)
        unpacked: Any = gzip.GzipFile(fileobj=self._file) if is_packed else self._file
        text = io.TextIOWrapper(unpacked, "utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield from self._read(text)
        except (EOFError, OSError, csv.Error) as error:
            raise SetupInvalid(f"{self._name} cannot be read on: {error}") from error
        finally:
            text.detach()

    def _read(self, text: io.TextIOWrapper) -> Iterator[Row]:
        first = text.readline(LINE_CHARS)
        if first.lstrip().startswith("{"):
            yield from _json_lines(first, text)
            return
        header = next(csv.reader([first]), [])
        missing = [name for name in NEEDED if name not in header]
        if not {"user_id", "anonymous_id"} & set(header):
            missing.append("user_id or anonymous_id")
        if missing:
            raise SetupInvalid(
                f"{self._name} is neither JSON lines nor CSV with the columns that are needed: "
                f"{', '.join(missing)} missing in its first line"
            )
        yield from _csv_rows(header, text)


@contextmanager
def open_events(path: Path) -> Iterator[EventFile]:
    """Opens a file of events.

    Raises:
        SetupInvalid: it cannot be opened.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise SetupInvalid(f"{path} cannot be opened: {error.strerror}") from error
    with file:
        yield EventFile(file, path.stat().st_size, str(path))


def _csv_rows(header: list[str], text: io.TextIOWrapper) -> Iterator[Row]:
    reader = csv.reader(text)
    for cells in reader:
        if not cells:
            continue
        line = reader.line_num + 1
        if len(cells) != len(header):
            yield Row(line, {}, f"{len(cells)} cells instead of {len(header)}")
            continue
        named = dict(zip(header, cells, strict=True))
        event: dict[str, object] = {name: named[name] for name in FIELDS if named.get(name)}
        for name in ("timestamp", "value"):
            if name in event:
                event[name] = _number(named[name])
        yield _row(line, event, named.get("session_id", ""))


def _json_lines(first: str, text: io.TextIOWrapper) -> Iterator[Row]:
    line, number = first, 1
    while line:
        if line.strip():
            yield _json_row(number, line)
        line, number = text.readline(LINE_CHARS), number + 1


def _json_row(number: int, line: str) -> Row:
    try:
        event = orjson.loads(line.encode("utf-8", "surrogateescape"))
    except ValueError as error:
        return Row(number, {}, f"no JSON: {error}")
    return _row(number, event) if isinstance(event, dict) else Row(number, {}, "no JSON object")


def _row(line: int, event: dict[str, object], visit: str = "") -> Row:
    if "timestamp" not in event:
        return Row(line, event, "timestamp is missing")
    if "event_id" not in event:
        event["event_id"] = event_id(event, visit)
    return Row(line, event)


def event_id(event: Mapping[str, object], visit: str = "") -> str:
    """An id that the same row always gets: two equal rows are one event."""
    parts = [visit, *(str(event.get(name, "")) for name in FIELDS if name != "event_id")]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _number(text: str) -> object:
    """A number where it is one; the rules say what is wrong with other text."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text

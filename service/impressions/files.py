"""The files of the impression log: appended to, rotated by size, bounded in all."""

import os
import time
from pathlib import Path

PREFIX = "impressions-"
SUFFIX = ".jsonl"


class RotatedFiles:
    """Files of one process in a folder that several processes share.

    Each process writes files of its own, so that no line is ever torn by another; the oldest
    files of all give way when the folder holds more than `total_bytes`.
    """

    def __init__(self, folder: Path, file_bytes: int, total_bytes: int) -> None:
        self._folder = folder
        self._file_bytes, self._total_bytes = file_bytes, total_bytes
        self._path: Path | None = None

    def append(self, lines: bytes) -> None:
        """Adds whole lines.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        if self._path is None or _bytes_of(self._path) >= self._file_bytes:
            self._path = self._next()
        try:
            with self._path.open("ab") as file:
                file.write(lines)
        except OSError:
            self._path = None  # what is torn stays the end of its file
            raise

    def _next(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room()
        began = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        return self._folder / f"{PREFIX}{began}-{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"

    def _make_room(self) -> None:
        files = sorted(log_files(self._folder))
        total = sum(_bytes_of(path) for path in files)
        for path in files:
            if total <= self._total_bytes - self._file_bytes:
                return
            total -= _bytes_of(path)
            path.unlink(missing_ok=True)


def log_files(folder: Path) -> list[Path]:
    """The files of the log, oldest first."""
    return sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

"""The numbers of one process, in memory that its siblings can read and that outlives it."""

import errno
import fcntl
import logging
import math
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

CELL_BYTES = 8
TEXT_BYTES = 512
"""Room for the label values of one series whose labels are open."""
OWNER = 0
"""The first cell: the process that counts here now, 0 = it has ended."""
PROCESSES_MAX = 4096
_JOIN = "\x1f"


@dataclass(frozen=True, slots=True)
class Shape:
    """How many numbers there are; processes of one shape count side by side in one folder.

    In memory: the owner, the sums (counters, histograms), the gauges, then the texts. A sum
    outlives its process, because a total that falls looks like a restart to whoever computes
    rates; a gauge counts only while its process lives.

    Attributes:
        digest: of the declarations; a process of another version of the code has another one.
    """

    digest: str
    n_sums: int
    n_gauges: int
    n_texts: int

    @property
    def gauges(self) -> slice:
        return slice(1 + self.n_sums, self.n_cells)

    @property
    def n_cells(self) -> int:
        return 1 + self.n_sums + self.n_gauges

    @property
    def n_bytes(self) -> int:
        return self.n_cells * CELL_BYTES + self.n_texts * TEXT_BYTES


class Cells:
    """Numbers that one process writes, without a lock: all from its event loop.

    Attributes:
        numbers: float64 [n_cells].
    """

    def __init__(self, shape: Shape, memory: mmap.mmap) -> None:
        view = memoryview(memory)
        self.shape = shape
        self.numbers = view[: shape.n_cells * CELL_BYTES].cast("d")
        self._texts = view[shape.n_cells * CELL_BYTES :]
        self.numbers[OWNER] = 0  # whatever a former owner left does not count from here on
        for cell in range(*shape.gauges.indices(shape.n_cells)):
            self.numbers[cell] = math.nan
        self.numbers[OWNER] = os.getpid()

    def write_text(self, place: int, values: tuple[str, ...]) -> None:
        """Keeps the label values of an open series; what is too long or not printable is cut."""
        room = TEXT_BYTES // len(values) - 1
        printable = ("".join(filter(str.isprintable, value)) for value in values)
        cut = [value.encode(errors="ignore")[:room].decode(errors="ignore") for value in printable]
        start = place * TEXT_BYTES
        self._texts[start : start + TEXT_BYTES] = _JOIN.join(cut).encode().ljust(TEXT_BYTES, b"\0")

    def content(self) -> bytes:
        """All of it, as `shared_contents` gives it of the siblings."""
        return bytes(self.numbers) + bytes(self._texts)


def read_text(texts: bytes, place: int) -> tuple[str, ...]:
    """The label values that `write_text` kept."""
    start = place * TEXT_BYTES
    return tuple(texts[start : start + TEXT_BYTES].rstrip(b"\0").decode().split(_JOIN))


def open_cells(folder: Path | None, shape: Shape) -> Cells:
    """Numbers in a file of the folder; without a folder, of this process alone.

    When there is no room the process counts for itself too: its requests matter more than their
    number.
    """
    if folder is None:
        return private_cells(shape)
    try:
        return Cells(shape, _first_free(folder, shape))
    except OSError as error:
        log.error("/metrics lacks this process, %s cannot be written: %s", folder, error)
        return private_cells(shape)


def private_cells(shape: Shape) -> Cells:
    return Cells(shape, mmap.mmap(-1, shape.n_bytes))


def shared_contents(folder: Path, shape: Shape) -> list[bytes]:
    """What all processes of this shape have counted, one `content` each; without owner if ended.

    Nothing waits for it: a cell is eight aligned bytes, and so is read as it was at some instant.
    """
    found = (_shared(path) for path in folder.glob(f"{shape.digest}-*"))
    return [content for content in found if len(content) == shape.n_bytes]


def is_owned(path: Path) -> bool:
    """Whether a living process counts in the file."""
    with path.open("rb") as file:
        return not _locked(file.fileno(), fcntl.LOCK_SH)


def _shared(path: Path) -> bytes:
    with path.open("rb") as file:
        has_ended = _locked(file.fileno(), fcntl.LOCK_SH)
        content = file.read()
    return bytes(CELL_BYTES) + content[CELL_BYTES:] if has_ended else content


def _first_free(folder: Path, shape: Shape) -> mmap.mmap:
    """The first file that no living process counts in.

    Sums go on where the former owner left them, so files are never merged, and there are never
    more of them than processes were alive at once.
    """
    for number in range(PROCESSES_MAX):
        memory = _claimed(folder / f"{shape.digest}-{number}", shape.n_bytes)
        if memory is not None:
            return memory
    raise OSError(errno.EMFILE, "too many processes")


def _claimed(path: Path, n_bytes: int) -> mmap.mmap | None:
    """The file in memory and locked, or None when another process has it.

    It is filled before it is mapped: a full disk is an error here, where a store into a hole of
    the mapping would kill the process later (SIGBUS). The mapping keeps a duplicate of the
    descriptor and with it the lock; both end with the process, however it ends.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(fd, fcntl.LOCK_EX):
            return None
        if os.fstat(fd).st_size < n_bytes and os.pwrite(fd, bytes(n_bytes), 0) < n_bytes:
            raise OSError(errno.ENOSPC, "no space is left")
        return mmap.mmap(fd, n_bytes)
    finally:
        os.close(fd)


def _locked(fd: int, kind: int) -> bool:
    """Whether the lock can be had: nobody alive counts in the file."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

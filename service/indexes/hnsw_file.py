"""Reads an hnswlib index file without hnswlib, to prove that loading and searching it is safe.

hnswlib checks only the length: flipped link bytes, a bad entry point or `max_elements` below the
count crash the process, and the dimension is not compared at all. Layout (hnswlib 0.8.0,
`HierarchicalNSW::saveIndex`): a header of 96 bytes, one fixed-size record per element (links of
level 0, vector, label), then per element the byte length of its upper links and those links.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Rows, Vectors

HEADER = struct.Struct("<QQQQQQiIQQQdQ")
LABEL_BYTES = 8
LINK_BYTES = 4


class IndexFileInvalid(ValueError):
    """The file is not an index that can be searched safely; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Header:
    """The numbers at the start of an index file."""

    offset_level0: int
    max_elements: int
    count: int
    record_bytes: int
    label_offset: int
    vector_offset: int
    max_level: int
    entry_point: int
    max_links: int
    max_links0: int
    m: int
    mult: float
    ef_construction: int

    @property
    def dim(self) -> int:
        return (self.label_offset - self.vector_offset) // LINK_BYTES


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A checked index file.

    Attributes:
        labels: label per element in storage order, int64 [count].
        vectors: float32 [count, dim], same order; a view of the mapped file.
    """

    header: Header
    labels: Rows
    vectors: Vectors


def read_index_file(path: Path) -> IndexFile:
    """Check header, lengths, links and labels.

    Raises:
        IndexFileInvalid: something does not add up.
    """
    size = path.stat().st_size
    if size < HEADER.size:
        raise IndexFileInvalid(f"is only {size} bytes long")
    data = np.memmap(path, dtype=np.uint8, mode="r")
    header = Header(*HEADER.unpack(bytes(data[: HEADER.size])))
    _check_header(header, size)
    end = HEADER.size + header.count * header.record_bytes
    records = data[HEADER.size : end].reshape(header.count, header.record_bytes)
    _check_links(records[:, : header.vector_offset], header)
    _check_upper_links(data[end:], header)
    labels = _view(records[:, header.label_offset :], np.int64)[:, 0]
    if not np.array_equal(np.sort(labels), np.arange(header.count)):
        raise IndexFileInvalid("does not hold each catalogue row exactly once as a label")
    vectors = _view(records[:, header.vector_offset : header.label_offset], np.float32)
    return IndexFile(header, labels, vectors)


def _check_header(header: Header, size: int) -> None:
    links0 = header.max_links0 * LINK_BYTES + LINK_BYTES
    wrong = (
        header.offset_level0 != 0
        or header.vector_offset != links0
        or header.label_offset <= header.vector_offset
        or (header.label_offset - header.vector_offset) % LINK_BYTES
        or header.record_bytes != header.label_offset + LABEL_BYTES
        or not 0 < header.max_links <= header.max_links0
    )
    if wrong:
        raise IndexFileInvalid("has no header of hnswlib 0.8")
    if not 0 < header.count <= header.max_elements:
        raise IndexFileInvalid(f"claims {header.count} elements of at most {header.max_elements}")
    if not 0 <= header.entry_point < header.count or header.max_level < 0:
        raise IndexFileInvalid("has an entry point that does not exist")
    if HEADER.size + header.count * (header.record_bytes + LINK_BYTES) > size:
        raise IndexFileInvalid("is shorter than its header says")


def _check_links(links: NDArray[np.uint8], header: Header) -> None:
    counts = _view(links[:, :2], np.uint16)[:, 0]
    if counts.max(initial=0) > header.max_links0:
        raise IndexFileInvalid("has a damaged list of links")
    targets = _view(links[:, LINK_BYTES:], np.uint32)
    used = np.arange(header.max_links0) < counts[:, None]
    if targets.max(initial=0, where=used) >= header.count:
        raise IndexFileInvalid("has links to elements that do not exist")


def _check_upper_links(data: NDArray[np.uint8], header: Header) -> None:
    """Walk the lists above level 0: per element their length in bytes, then the lists."""
    words = memoryview(data.tobytes()).cast("I") if data.size % LINK_BYTES == 0 else None
    if words is None:
        raise IndexFileInvalid("has a length that does not fit its header")
    width = header.max_links + 1
    at = 0
    highest = 0
    for element in range(header.count):
        if at >= len(words):
            raise IndexFileInvalid("ends within its links")
        length, odd = divmod(words[at], width * LINK_BYTES)
        at += 1
        if odd or length > header.max_level or at + length * width > len(words):
            raise IndexFileInvalid("has a damaged list of upper links")
        for level in range(length):
            _check_list(words, at + level * width, header)
        at += length * width
        highest = max(highest, length)
        if element == header.entry_point and length != header.max_level:
            raise IndexFileInvalid("has an entry point below its top level")
    if at != len(words) or highest != header.max_level:
        raise IndexFileInvalid("has a length or a top level that does not fit its links")


def _check_list(words: "memoryview[int]", at: int, header: Header) -> None:
    n = words[at] & 0xFFFF
    if n > header.max_links:
        raise IndexFileInvalid("has a damaged list of upper links")
    if any(target >= header.count for target in words[at + 1 : at + 1 + n]):
        raise IndexFileInvalid("has upper links to elements that do not exist")


def _view(columns: NDArray[np.uint8], dtype: type) -> NDArray:  # type: ignore[type-arg]
    """The bytes of a block of columns as little-endian numbers, without a copy."""
    return columns.view(np.dtype(dtype).newbyteorder("<"))

"""Reads an hnswlib index file without hnswlib, to prove that searching it is safe, and to load it.

hnswlib checks only the length: flipped link bytes, a bad entry point or `max_elements` below the
count crash the process, and the dimension is not compared at all. It also asks the system for its
place in the file twice per element, which takes longer than reading. Layout (hnswlib 0.8.0,
`HierarchicalNSW::saveIndex`): a header of 96 bytes, one fixed-size record per element (links of
level 0, vector, label), then per element the byte length of its upper links and those links.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Rows, Vectors
from service.indexes.hnsw_links import (
    LINK_BYTES,
    Header,
    IndexFileInvalid,
    UpperLists,
    check_upper_links,
    read_upper_lists,
)

HEADER = struct.Struct("<QQQQQQiIQQQdQ")
LABEL_BYTES = 8
HIGHEST_LEVEL = 64
ROOM = 4
BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An index file.

    Attributes:
        records: links of level 0, vector and label of each element, uint8 [count, record_bytes]; a
            view of the mapped file.
        upper: the links above level 0.
    """

    header: Header
    records: NDArray[np.uint8]
    upper: UpperLists

    @property
    def labels(self) -> Rows:
        """Label per element in storage order, int64 [count]."""
        return _view(self.records[:, self.header.label_offset :], np.int64)[:, 0]

    @property
    def vectors(self) -> Vectors:
        """In storage order, float32 [count, dim]; a view of the mapped file."""
        part = slice(self.header.vector_offset, self.header.label_offset)
        return _view(self.records[:, part], np.float32)


def read_index_file(path: Path) -> IndexFile:
    """Open a file, and check where its links lead and what its labels are.

    Raises:
        IndexFileInvalid: something does not add up.
    """
    file = open_index_file(path)
    header = file.header
    for start in range(0, header.count, BLOCK_ROWS):
        _check_links(file.records[start : start + BLOCK_ROWS, : header.vector_offset], header)
    check_upper_links(file.upper, header)
    if not np.array_equal(np.sort(file.labels), np.arange(header.count)):
        raise IndexFileInvalid("does not hold each catalogue row exactly once as a label")
    return file


def open_index_file(path: Path) -> IndexFile:
    """Check header and lengths: enough to load a file whose links were checked before.

    Raises:
        IndexFileInvalid: something does not add up.
    """
    size = path.stat().st_size
    if size < HEADER.size:
        raise IndexFileInvalid(f"is only {size} bytes long")
    data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    header = Header(*HEADER.unpack(bytes(data[: HEADER.size])))
    _check_header(header, size)
    end = HEADER.size + header.count * header.record_bytes
    records = data[HEADER.size : end].reshape(header.count, header.record_bytes)
    return IndexFile(header, records, read_upper_lists(data[end:], header))


def _check_header(header: Header, size: int) -> None:
    links0 = header.max_links0 * LINK_BYTES + LINK_BYTES
    wrong = (
        header.offset_level0 != 0
        or header.vector_offset != links0
        or header.label_offset <= header.vector_offset
        or (header.label_offset - header.vector_offset) % LINK_BYTES
        or header.record_bytes != header.label_offset + LABEL_BYTES
        or not 1 < header.max_links <= header.max_links0
        or header.m != header.max_links
    )
    if wrong:
        raise IndexFileInvalid("has no header of hnswlib 0.8")
    room = ROOM * header.count  # for all of it hnswlib takes memory at once
    if not 0 < header.count <= header.max_elements <= room:
        raise IndexFileInvalid(
            f"claims {header.count} elements in room for {header.max_elements}, which has to be "
            f"between as many and {ROOM} times as many"
        )
    if not 0 <= header.entry_point < header.count or not 0 <= header.max_level <= HIGHEST_LEVEL:
        raise IndexFileInvalid("has an entry point that does not exist")
    if HEADER.size + header.count * (header.record_bytes + LINK_BYTES) > size:
        raise IndexFileInvalid("is shorter than its header says")


def _check_links(links: NDArray[np.uint8], header: Header) -> None:
    heads = _view(np.ascontiguousarray(links[:, :LINK_BYTES]), np.uint32)[:, 0]
    if heads.max(initial=0) > header.max_links0:  # a mark of deletion makes it larger, too
        raise IndexFileInvalid("has a damaged list of links, or deleted elements")
    targets = _view(np.ascontiguousarray(links[:, LINK_BYTES:]), np.uint32)
    beyond = targets >= header.count
    if beyond.any() and (beyond & (np.arange(header.max_links0) < heads[:, None])).any():
        raise IndexFileInvalid("has links to elements that do not exist")


def _view(columns: NDArray[np.uint8], dtype: type) -> NDArray:  # type: ignore[type-arg]
    """The bytes of a block of columns as little-endian numbers, without a copy."""
    return columns.view(np.dtype(dtype).newbyteorder("<"))

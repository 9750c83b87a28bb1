"""The links above level 0 of an hnswlib index file: one list per element and level."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LINK_BYTES = 4

Words = NDArray[np.uint32]


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
class UpperLists:
    """The lists above level 0.

    Attributes:
        words: per element the length in bytes of its lists, then those, uint32.
        elements: those that have lists, int64 [m].
        starts: where in `words` their lengths stand, int64 [m].
        levels: the highest level of each element, int32 [count].
    """

    words: Words
    elements: NDArray[np.int64]
    starts: NDArray[np.int64]
    levels: NDArray[np.int32]

    def without_lengths(self) -> Words:
        """The lists of all elements one after another, uint32."""
        ends = np.ones(len(self.levels), dtype=np.int64)
        ends[self.elements] += self.words[self.starts] // LINK_BYTES
        return np.delete(self.words, np.cumsum(ends) - ends)


def read_upper_lists(data: NDArray[np.uint8], header: Header) -> UpperLists:
    """Read what follows the records.

    Raises:
        IndexFileInvalid: the lengths do not add up.
    """
    if len(data) % LINK_BYTES:
        raise IndexFileInvalid("has a length that does not fit its header")
    words = np.frombuffer(data.tobytes(), dtype="<u4")
    elements, starts = _lists(words, header)
    levels = np.zeros(header.count, dtype=np.int32)
    levels[elements] = words[starts] // ((header.max_links + 1) * LINK_BYTES)
    if int(levels.max()) != header.max_level or levels[header.entry_point] != header.max_level:
        raise IndexFileInvalid("has an entry point below its top level")
    return UpperLists(words, elements, starts, levels)


def check_upper_links(lists: UpperLists, header: Header) -> None:
    """Check where the links lead: to elements that reach their level.

    Raises:
        IndexFileInvalid: one does not.
    """
    for level in range(1, header.max_level + 1):
        reach = lists.levels[lists.elements] >= level
        first = lists.starts[reach] + 1 + (level - 1) * (header.max_links + 1)
        blocks = lists.words[first[:, None] + np.arange(header.max_links + 1)]
        _check_level(blocks, lists.levels, level)


def _lists(words: Words, header: Header) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Elements that have lists, and where the length of each stands; nearly all have none."""
    filled, values = np.flatnonzero(words).data, words.data
    width = header.max_links + 1
    elements, starts = [], []
    at = element = place = 0
    while place < len(filled):
        element += filled[place] - at
        at = filled[place]
        length, odd = divmod(values[at], width * LINK_BYTES)
        if odd or length > header.max_level or element >= header.count:
            raise IndexFileInvalid("has a damaged list of upper links")
        elements.append(element)
        starts.append(at)
        at += 1 + length * width
        element += 1
        place = bisect_left(filled, at, place, min(place + 1 + length * width, len(filled)))
    if at > len(words) or element + len(words) - at != header.count:
        raise IndexFileInvalid("has a length that does not fit its links")
    return np.array(elements, dtype=np.int64), np.array(starts, dtype=np.int64)


def _check_level(lists: Words, levels: NDArray[np.int32], level: int) -> None:
    """Check uint32 [n, 1 + max_links]: a number of links, then those."""
    heads, targets = lists[:, :1], lists[:, 1:]
    if heads.max(initial=0) > targets.shape[1]:
        raise IndexFileInvalid("has a damaged list of upper links")
    used = targets[np.arange(targets.shape[1]) < heads].astype(np.int64)
    if used.max(initial=0) >= len(levels) or (levels[used] < level).any():
        raise IndexFileInvalid("has upper links to elements that do not exist")

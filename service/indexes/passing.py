"""The items that pass some filters: compiled once into a bitmap, kept while asked for."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Mask, Rows, Vectors
from service.domain.requests import NO_FILTERS, Filters

BLOCK_ROWS = 256
"""Rows of a block; 32 bytes of a bitmap. Smaller blocks hold fewer strangers, larger ones need
fewer centres and products."""
BLOCK_BYTES = BLOCK_ROWS // 8
IDLE_SEARCHES = 1000
"""Filtered searches after which what none of them used may give way to a copy."""


class Passing:
    """A bitmap over the rows of a catalogue, and what searching by it needs.

    Attributes:
        count: rows that pass.
        per_block: rows that pass in each block of `BLOCK_ROWS` rows, int64 [n_blocks].
        n_rows_swept: rows of the blocks in which any row passes.
        copied: the vectors of the passing rows, once somebody has made the copy.
        n_searched: searches by these filters so far.
        searched_at: number of the latest of them among all searches.
    """

    def __init__(self, mask: Mask) -> None:
        n_blocks = -(-len(mask) // BLOCK_ROWS)
        self._bits = np.zeros(n_blocks * BLOCK_BYTES, dtype=np.uint8)
        packed = np.packbits(mask, bitorder="little")
        self._bits[: len(packed)] = packed
        words = self._bits.view(np.uint64).reshape(n_blocks, -1)
        self.per_block: Rows = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
        self.count = int(self.per_block.sum())
        self.is_everything = self.count == len(mask)
        self.n_rows_swept = int(np.count_nonzero(self.per_block)) * BLOCK_ROWS
        self.copied: Vectors | None = None
        self.n_searched = 0
        self.searched_at = 0
        self._n = len(mask)
        self._rows: Rows | None = None

    @property
    def nbytes(self) -> int:
        """Memory held."""
        held = (self._rows, self.copied)
        extra = sum(array.nbytes for array in held if array is not None)
        return self._bits.nbytes + self.per_block.nbytes + extra

    @property
    def rows(self) -> Rows:
        """The rows that pass, int64 [count], ascending."""
        return np.flatnonzero(self.between(0, self._n)) if self._rows is None else self._rows

    @property
    def has_rows(self) -> bool:
        """Whether they are kept."""
        return self._rows is not None

    def keep_rows(self) -> None:
        """Keep them, eight bytes each."""
        self._rows = self.rows

    def at(self, rows: Rows) -> Mask:
        """Which of these rows pass, bool [m]."""
        if self.is_everything:
            return np.ones(len(rows), dtype=np.bool_)
        mask: Mask = (self._bits[rows >> 3] >> (rows & 7).astype(np.uint8) & 1).view(np.bool_)
        return mask

    def in_blocks(self, blocks: Rows) -> Mask:
        """Which rows of these blocks pass, one block after another, bool [m * BLOCK_ROWS]."""
        bits = self._bits.reshape(-1, BLOCK_BYTES)[blocks].ravel()
        return np.unpackbits(bits, bitorder="little").view(np.bool_)

    def places_in(self, blocks: Rows) -> Rows:
        """The places of the rows that pass in these blocks among all that do, int64 [m]."""
        counts = self.per_block[blocks]
        ends = np.cumsum(counts)
        before = np.cumsum(self.per_block)[blocks] - ends
        places: Rows = np.arange(counts.sum()) + np.repeat(before, counts)
        return places

    def between(self, first: int, end: int) -> Mask:
        """Which of the rows [first, end) pass; `first` is the start of a block."""
        part = self._bits[first >> 3 : (end + 7) >> 3]
        bits: NDArray[np.uint8] = np.unpackbits(part, count=end - first, bitorder="little")
        return bits.view(np.bool_)


class PassingCache:
    """Compiled filters, the least recently asked ones given up when `most_bytes` are held.

    Stock is no part of it: it changes while filters do not (see `service.indexes.router`). A copy
    stays until nobody has asked for it for long, so that filters do not take it in turns to make
    copies that are never used.
    """

    def __init__(self, compile_filters: Callable[[Filters], Mask], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._compile = compile_filters
        self._everything = Passing(compile_filters(NO_FILTERS))
        self._kept: OrderedDict[Filters, Passing] = OrderedDict()
        self._n_searched = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Memory held for filters."""
        return sum(passing.nbytes for passing in self._kept.values())

    def of(self, filters: Filters) -> Passing:
        """What passes these filters."""
        if filters.is_empty:
            return self._everything
        passing = self._kept.get(filters)
        if passing is None:
            passing = self._kept[filters] = Passing(self._compile(filters))
            self.make_room(0)
        else:
            self._kept.move_to_end(filters)
        return passing

    def search(self, filters: Filters) -> Passing:
        """The same for a search: what is searched often is worth a copy."""
        passing = self.of(filters)
        self._n_searched += not filters.is_empty
        passing.n_searched += 1
        passing.searched_at = self._n_searched
        return passing

    def forget(self, attribute: str) -> None:
        """Give up what was compiled from the values of an attribute."""
        for filters in [*self._kept]:
            if filters.mentions(attribute):
                del self._kept[filters]

    def rows_of(self, passing: Passing) -> Rows:
        """Its rows, kept from now on."""
        if not passing.has_rows:
            passing.keep_rows()
            self.make_room(0)
        return passing.rows

    def make_room(self, n_bytes: int) -> bool:
        """Whether so much more fits, after giving up what nobody has asked for lately.

        What is idle goes first: copies, and for a copy (`n_bytes` above 0) other filters, too. For
        a filter the least recently asked ones go then.
        """
        left = self.most_bytes - n_bytes - self.nbytes
        for filters, passing in [*self._kept.items()]:
            if left >= 0:
                return True
            if self._n_searched - passing.searched_at < IDLE_SEARCHES:
                continue
            if passing.copied is not None:
                left += passing.copied.nbytes
                passing.copied = None
            elif n_bytes:
                left += self._kept.pop(filters).nbytes
        while left < 0 and not n_bytes and self._kept:
            left += self._kept.popitem(last=False)[1].nbytes
        return left >= 0

"""The items that pass some filters: compiled once into a bitmap, kept while asked for."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Mask, Rows, Scores
from service.domain.requests import NO_FILTERS, Filters
from service.indexes.signs import Packed

BLOCK_ROWS = 128
"""Rows of a block; 16 bytes of a bitmap. Smaller blocks hold fewer strangers, larger ones need
fewer centres and products."""
BLOCK_BYTES = BLOCK_ROWS // 8
BLOCK_BITS = BLOCK_ROWS.bit_length() - 1
POOREST = 20
EVEN_SHARE = 0.4
"""The share that passes in all blocks but one in twenty, or in those that hold any, from which or
below which the share of all tells enough of that in any of them."""
SPARSE_SHARE = 0.75
"""Passing items among those of their blocks, below which looking at each costs less than at all."""


class Passing:
    """A bitmap over the rows of a catalogue, and what searching by it needs.

    Attributes:
        count: rows that pass.
        share: of all rows.
        per_block: rows that pass in each block of `BLOCK_ROWS` rows, int64 [n_blocks].
        held: the same as float32.
        blocks: those in which any row passes, int64 [m].
        n_rows_swept: rows of these blocks.
        is_sparse: whether to look at passing rows one by one.
        signs: of the items that pass, once somebody has packed them.
        is_even: whether the share of what is near that passes is much like that of all, or small.
    """

    def __init__(self, mask: Mask) -> None:
        n_blocks = -(-len(mask) // BLOCK_ROWS)
        self._bits = np.zeros(n_blocks * BLOCK_BYTES, dtype=np.uint8)
        packed = np.packbits(mask, bitorder="little")
        self._bits[: len(packed)] = packed
        words = self._bits.view(np.uint64).reshape(n_blocks, -1)
        self.per_block: Rows = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
        self.held: Scores = self.per_block.astype(np.float32)
        self.blocks: Rows = np.flatnonzero(self.per_block)
        self.count = int(self.per_block.sum())
        self.share = self.count / len(mask)
        self.is_everything = self.count == len(mask)
        self.n_rows_swept = len(self.blocks) * BLOCK_ROWS
        self.is_sparse = self.count < SPARSE_SHARE * self.n_rows_swept
        poor = n_blocks // POOREST
        poorest_share = float(np.partition(self.per_block, poor)[poor]) / BLOCK_ROWS
        is_low = self.count < EVEN_SHARE * self.n_rows_swept
        self.is_even = is_low or poorest_share >= EVEN_SHARE
        self.signs: Packed | None = None
        self._n = len(mask)
        self._rows: Rows | None = None
        self._starts: Rows = self.per_block.cumsum() - self.per_block

    @property
    def nbytes(self) -> int:
        """Memory held."""
        arrays = (self._bits, self.per_block, self.held, self.blocks, self._starts)
        rows = 0 if self._rows is None else self._rows.nbytes
        signs = 0 if self.signs is None else self.signs.signs.nbytes
        return rows + signs + sum(array.nbytes for array in arrays)

    @property
    def rows(self) -> Rows:
        """The rows that pass, int64 [count], ascending."""
        return np.flatnonzero(self.between(0, self._n)) if self._rows is None else self._rows

    @property
    def has_rows(self) -> bool:
        """Whether they are kept."""
        return self._rows is not None

    def keep_rows(self) -> Rows:
        """The same, kept from now on: eight bytes each."""
        self._rows = self.rows
        return self._rows

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

    def places_in(self, blocks: Rows) -> tuple[Rows, Rows]:
        """Which of the passing rows are in these blocks, in their order, and how many in each.

        Returns:
            places among `rows` int64 [m], and counts int64, one for each of the blocks.
        """
        counts = self.per_block.take(blocks)
        before = self._starts.take(blocks)
        before -= counts.cumsum()
        before += counts
        places = before.repeat(counts)
        places += np.arange(len(places))
        return places, counts

    def between(self, first: int, end: int) -> Mask:
        """Which of the rows [first, end) pass; `first` is the start of a block."""
        part = self._bits[first >> 3 : (end + 7) >> 3]
        bits: NDArray[np.uint8] = np.unpackbits(part, count=end - first, bitorder="little")
        return bits.view(np.bool_)


class PassingCache:
    """Compiled filters, the least recently asked ones given up when `most_bytes` are held.

    Stock is no part of it: it changes while filters do not (see `service.indexes.router`).
    """

    def __init__(self, compile_filters: Callable[[Filters], Mask], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._compile = compile_filters
        self._everything = Passing(compile_filters(NO_FILTERS))
        self._kept: OrderedDict[Filters, Passing] = OrderedDict()

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
            self.make_room()
        else:
            self._kept.move_to_end(filters)
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
            self.make_room()
        return passing.rows

    def make_room(self) -> None:
        """Give up what was asked for least recently until no more is held than may be."""
        left = self.most_bytes - self.nbytes
        while left < 0 and self._kept:
            left += self._kept.popitem(last=False)[1].nbytes

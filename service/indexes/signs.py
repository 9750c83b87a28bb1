"""Two bits for each direction of an item's difference from the centre of its block.

Bits read a sixteenth of the memory that vectors do, and tell well enough whose score is worth
computing. One bit is the sign, which alone rules most items out; one says whether it is a large
direction. After RaBitQ (Gao and Long, SIGMOD 2024), with the spread of a block in place of each
item's own length.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import NO_ROWS, NO_SCORES, Rows, Scores, Vector, Vectors

Words = NDArray[np.uint64]
Counts = NDArray[np.unsignedinteger[Any]]

WORD_BITS = 64
CHUNK_ITEMS = 16_384
"""Compared at once, in memory that is used again: what is newly allocated has to be faulted in."""
BUILD_BLOCKS = 16
"""Whose bits are taken at once, for the same reason."""
TOP_WEIGHT, MOST_SPREADS = 3, 2.45
"""Directions of a query weigh 0 to 3; those beyond so many standard deviations weigh 3, too."""
BORDER, SMALL, LARGE = 0.9816, 0.4528, 1.5104
"""Of the best quantiser with four levels for what is normally distributed (Max, 1960)."""
ONE_BIT, TWO_BITS = math.sqrt(2.0 / math.pi), math.sqrt(0.8825)
"""How far what one bit or both tell of a score goes along with it: their correlation."""
FEW = 250
"""Of a chunk, of which to ask the second bit costs more than it spares."""
SMALLEST = 1e-30
SEED = 11


@dataclass(frozen=True, slots=True)
class SignQuery:
    """A query to compare with.

    Attributes:
        words: for each word of bits its signs, the directions that weigh two, and one; uint64.
        unit: what a weight of one is worth where items vary by one.
        total: of all weights.
    """

    words: Words
    unit: float
    total: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the items of some blocks are compared with.

    Attributes:
        signs: the weight of differing signs from which they are too far, [m].
        told: the least that both bits have to tell, in weights of small directions, float32 [m].
    """

    signs: Counts
    told: Scores


@dataclass(frozen=True, slots=True)
class Near:
    """Items that seem near by their signs.

    Attributes:
        rows: int64 [n].
        places: theirs among those that were compared, int64 [n].
        limits: what both bits have to tell of them, float32 [n].
    """

    rows: Rows
    places: Rows
    limits: Scores


@dataclass(frozen=True, slots=True)
class Packed:
    """The signs of some items.

    Attributes:
        rows: int64 [n].
        signs: uint64 [n_words, n].
    """

    rows: Rows
    signs: Words


class Signs:
    """The bits of all items; of one thread."""

    def __init__(self, vectors: Vectors, centres: Vectors, spread: Scores, block_rows: int) -> None:
        """Compare each vector with the centre of its block.

        Args:
            vectors: float32 [n, dim].
            centres: float32 [n_blocks, dim].
            spread: of the directions of items in each block, float32 [n_blocks].
            block_rows: the last block may have fewer.
        """
        self._rotations = _rotations(vectors.shape[1])
        n_words, shape = len(self._rotations), (len(centres), block_rows)
        self._block_rows = block_rows
        self._block_bits = block_rows.bit_length() - 1
        self._thinner = math.sqrt(vectors.shape[1] / (n_words * WORD_BITS))
        self._kind = np.dtype(np.uint8 if n_words == 1 else np.uint16)
        self._signs: Words = np.zeros((n_words, *shape), dtype=np.uint64)
        self._large: Words = np.zeros((n_words, *shape), dtype=np.uint64)
        self._step = max(1, CHUNK_ITEMS // block_rows)
        self._room: Words = np.empty((n_words + 2, self._step * block_rows), dtype=np.uint64)
        borders = spread * np.float32(BORDER * self._thinner)
        for first in range(0, len(centres), BUILD_BLOCKS):
            some = slice(first, first + BUILD_BLOCKS)
            rows = vectors[first * block_rows : (first + BUILD_BLOCKS) * block_rows]
            self._take(rows, centres[some], borders[some], some)
        self._flat_signs = self._signs.reshape(n_words, -1)
        self._flat_large = self._large.reshape(n_words, -1)

    def _take(self, vectors: Vectors, centres: Vectors, borders: Scores, blocks: slice) -> None:
        """Take the bits of the items of some blocks."""
        turned = self._turned(vectors)
        turned -= np.repeat(self._turned(centres), self._block_rows, axis=0)[: len(turned)]
        self._signs[:, blocks] = self._packed(turned > 0.0)
        np.abs(turned, out=turned)
        limits = np.repeat(borders, self._block_rows)[: len(turned), None]
        self._large[:, blocks] = self._packed(turned > limits)

    def _turned(self, vectors: Vectors) -> Vectors:
        """Vectors along the directions of the bits, float32 [n, n_bits]."""
        words = [vectors[:, columns] @ turn for columns, turn in self._rotations]
        return words[0] if len(words) == 1 else np.concatenate(words, axis=1)

    def _packed(self, bits: NDArray[np.bool_]) -> Words:
        """Bits [n, n_bits] as words [n_words, n_blocks, block_rows], zero behind the last item."""
        words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
        left = -len(words) % self._block_rows
        padded = np.pad(words, ((0, left), (0, 0))) if left else words
        return padded.T.reshape(words.shape[1], -1, self._block_rows)

    def query(self, vector: Vector) -> SignQuery:
        """A vector as it is compared, float32 [dim]."""
        turned = self._turned(vector[None])[0]
        spread = math.sqrt(max(float(turned @ turned), SMALLEST) / len(turned))
        unit = spread * MOST_SPREADS / TOP_WEIGHT
        weights = np.abs(turned)
        weights *= np.float32(1.0 / unit)
        weights += np.float32(0.5)
        whole = np.minimum(weights, np.float32(TOP_WEIGHT), out=weights).astype(np.uint8)
        bits = np.empty((3, len(turned)), dtype=np.uint8)
        np.greater(turned, 0.0, out=bits[0], casting="unsafe")
        np.right_shift(whole, 1, out=bits[1])
        np.bitwise_and(whole, 1, out=bits[2])
        words = np.packbits(bits, bitorder="little").view(np.uint64).reshape(3, -1)
        return SignQuery(words.T, unit * self._thinner, float(whole.sum()))

    def limits(self, one: Scores, both: Scores, query: SignQuery) -> Limits:
        """What to compare with, where items have to seem so near by one bit, and by both.

        Args:
            one: spreads above the centre of each block, float32 [m].
            both: the same for both bits.
            query: as `query` gives it.
        """
        signs = one * np.float32(-0.5 / (ONE_BIT * query.unit))
        signs += np.float32(0.5 * query.total + 1.0)
        most = TOP_WEIGHT * WORD_BITS * len(self._signs) + 1
        np.minimum(np.maximum(signs, 0.0, out=signs), most, out=signs)
        told = both * np.float32(0.5 / (SMALL * query.unit))
        told -= np.float32(0.5 * query.total)
        return Limits(signs.astype(self._kind), told)

    def in_blocks(self, blocks: Rows, query: SignQuery, limits: Limits) -> Rows:
        """Those items of some blocks that seem near enough: rows int64 [n], in their order.

        Args:
            blocks: int64 [m].
            query: as `query` gives it.
            limits: for each of the blocks.
        """
        found = [NO_ROWS]
        for first in range(0, len(blocks), self._step):
            some = slice(first, first + self._step)
            differing, words = self._compared(self._signs, blocks[some], query)
            places = np.flatnonzero(differing < limits.signs[some, None])
            own = places >> self._block_bits
            before = blocks[some] - np.arange(len(blocks[some]))
            before *= self._block_rows
            near = Near(before.take(own) + places, places, limits.told[some].take(own))
            found.append(self._near(near, differing, words, query))
        return np.concatenate(found)

    def packed(self, rows: Rows) -> Packed:
        """The signs of some items by themselves, where they are read faster."""
        return Packed(rows, self._flat_signs.take(rows, axis=1))

    def among(
        self, packed: Packed, places: Rows, counts: Rows, query: SignQuery, limits: Limits
    ) -> Rows:
        """Those of some packed items that seem near enough: rows int64 [m].

        Args:
            packed: as `packed` gives them.
            places: which of them, those of the same block together, int64 [n].
            counts: how many are of each block with limits.
            query: as `query` gives it.
            limits: for each of these blocks.
        """
        found = [NO_ROWS]
        signs, told = limits.signs.repeat(counts), limits.told.repeat(counts)
        for first in range(0, len(places), CHUNK_ITEMS):
            some = slice(first, first + CHUNK_ITEMS)
            differing, words = self._compared(packed.signs, places[some], query)
            here = np.flatnonzero(differing < signs[some])
            rows = packed.rows.take(places[some].take(here))
            near = Near(rows, here, told[some].take(here))
            found.append(self._near(near, differing, words, query))
        return np.concatenate(found)

    def told(self, rows: Rows, query: SignQuery) -> Scores:
        """What both bits tell of scores: spreads above the centre of the block, float32 [n]."""
        found = np.empty(len(rows), dtype=np.float32)
        for first in range(0, len(rows), CHUNK_ITEMS):
            some = rows[first : first + CHUNK_ITEMS]
            differing, words = self._compared(self._flat_signs, some, query)
            near = Near(some, np.arange(len(some)), NO_SCORES)
            found[first : first + CHUNK_ITEMS] = self._told(near, differing, words, query)
        found += np.float32(0.5 * query.total)
        found *= np.float32(2.0 * SMALL * query.unit)
        return found

    def _compared(self, signs: Words, places: Rows, query: SignQuery) -> tuple[Counts, Words]:
        """Weights of the signs of some items or blocks that differ, and which do [n_words, n]."""
        shape, total = (len(places), *signs.shape[2:]), None
        size = math.prod(shape)
        rooms = [room[:size].reshape(shape) for room in self._room]
        for own, items, (of_query, twos, ones) in zip(signs, rooms, query.words, strict=False):
            own.take(places, axis=0, out=items, mode="clip")
            np.bitwise_xor(items, of_query, out=items)
            weights = _weights(items, twos, ones, rooms[-1])
            total = weights if total is None else np.add(total, weights, dtype=np.uint16)
        assert total is not None
        return total, self._room[: len(signs), :size]

    def _near(self, near: Near, differing: Counts, words: Words, query: SignQuery) -> Rows:
        """Those that seem near enough by both bits, where they are many."""
        if len(near.rows) <= FEW:
            return near.rows
        told = self._told(near, differing, words, query)
        return near.rows.take(np.flatnonzero(told >= near.limits))

    def _told(self, near: Near, differing: Counts, words: Words, query: SignQuery) -> Scores:
        """What both bits tell, in weights of small directions, but for a constant; float32 [n]."""
        total = np.zeros(len(near.rows), dtype=np.int16)
        large, both = self._room[len(words) : len(words) + 2, : len(near.rows)]
        for own, items, (_, twos, ones) in zip(self._flat_large, words, query.words, strict=True):
            own.take(near.rows, out=large, mode="clip")
            total += _weights(large, twos, ones, both)
            np.bitwise_and(large, items.take(near.places), out=large)
            total -= np.multiply(_weights(large, twos, ones, both), 2, dtype=np.int16)
        told = total * np.float32(0.5 * (LARGE - SMALL) / SMALL)
        told -= differing.ravel().take(near.places)
        return told


def _weights(words: Words, twos: np.uint64, ones: np.uint64, room: Words) -> NDArray[np.uint8]:
    """The weight of the bits that are set, of each word."""
    weights: NDArray[np.uint8] = np.bitwise_count(np.bitwise_and(words, twos, out=room))
    np.add(weights, weights, out=weights)
    weights += np.bitwise_count(np.bitwise_and(words, ones, out=room))
    return weights


def _rotations(dim: int) -> list[tuple[Rows | slice, Vectors]]:
    """Which columns make which word, and a random turn of each such space into 64 directions.

    Every word has its own: turning all of a long vector at once would cost its length squared.
    """
    rng = np.random.default_rng(SEED)
    n_words = -(-dim // WORD_BITS)
    found: list[tuple[Rows | slice, Vectors]] = []
    for columns in np.array_split(rng.permutation(dim), n_words):
        turn = np.linalg.qr(rng.standard_normal((WORD_BITS, len(columns))))[0].T.astype(np.float32)
        found.append((slice(None), turn[columns.argsort()]) if n_words == 1 else (columns, turn))
    return found

"""What requests may filter by: the declared columns of a catalogue, ready to be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pa_compute
from numpy.typing import NDArray

from service.domain.arrays import NO_ROWS, Mask, Rows, Scores
from service.domain.attributes import Kind
from service.domain.requests import Condition, Filters
from service.ports.serving import Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of words, kept as the rows of each word.

    Attributes:
        places: position of each word in `starts`.
        starts: the rows of word i are `rows[starts[i]:starts[i + 1]]`, int64 [n_words + 1].
        rows: catalogue rows by word, int32.
        n: items of the catalogue.
    """

    kind: Kind
    places: Mapping[str, int]
    starts: Rows
    rows: NDArray[np.int32]
    n: int

    def passing(self, condition: Condition) -> Mask:
        mask = ~self._with(condition.none_of)
        if condition.any_of:
            mask &= self._with(condition.any_of)
        return mask

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        words = (*condition.any_of, *condition.none_of)
        return tuple(word for word in words if word not in self.places)

    def _with(self, words: Sequence[str]) -> Mask:
        mask = np.zeros(self.n, dtype=np.bool_)
        for word in words:
            place = self.places.get(word)
            if place is not None:
                mask[self.rows[self.starts[place] : self.starts[place + 1]]] = True
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column of numbers, float32 [n]; NaN = unknown, which is in no range."""

    values: Scores
    kind: Kind = Kind.NUMBER

    def passing(self, condition: Condition) -> Mask:
        mask = np.ones(len(self.values), dtype=np.bool_)
        if condition.at_least is not None:
            mask &= self.values >= np.float32(condition.at_least)
        if condition.at_most is not None:
            mask &= self.values <= np.float32(condition.at_most)
        return mask

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """A column of yes and no, bool [n]."""

    values: Mask
    kind: Kind = Kind.FLAG

    def passing(self, condition: Condition) -> Mask:
        if condition.is_set is None:
            return np.ones(len(self.values), dtype=np.bool_)
        mask: Mask = self.values == condition.is_set
        return mask

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        return ()


def matching(attributes: Mapping[str, Attribute], filters: Filters, n: int) -> Mask:
    """Which of n items pass the filters, bool [n]; under an undeclared attribute none does."""
    mask = np.ones(n, dtype=np.bool_)
    for name, condition in filters.conditions:
        attribute = attributes.get(name)
        mask &= False if attribute is None else attribute.passing(condition)
    return mask


def kind_of(column: pa.DataType) -> Kind | None:
    """The kind that a column of this type is; None where it cannot be filtered by."""
    if pa.types.is_string(column):
        return Kind.CATEGORY
    if pa.types.is_list(column) and pa.types.is_string(column.value_type):
        return Kind.TAGS
    if pa.types.is_floating(column) or pa.types.is_integer(column):
        return Kind.NUMBER
    return Kind.FLAG if pa.types.is_boolean(column) else None


def read_attribute(column: pa.ChunkedArray) -> Attribute:
    """A column of `catalogue.parquet`; empty cells and empty words are unknown.

    Raises:
        ValueError: of a type that cannot be filtered by.
    """
    kind, whole, n = kind_of(column.type), column.combine_chunks(), len(column)
    if kind is Kind.NUMBER:
        values = pa_compute.cast(whole, pa.float32(), safe=False)
        return Numbers(_frozen(pa_compute.fill_null(values, np.nan).to_numpy()))
    if kind is Kind.FLAG:
        return Flags(_frozen(pa_compute.fill_null(whole, False).to_numpy(zero_copy_only=False)))
    if kind is Kind.CATEGORY:
        return _words(Kind.CATEGORY, np.arange(n), whole, n)
    if kind is Kind.TAGS:
        rows = pa_compute.list_parent_indices(whole).to_numpy()
        return _words(Kind.TAGS, rows, pa_compute.list_flatten(whole), n)
    raise ValueError(f"{column.type} is no type to filter by")


def _words(kind: Kind, rows: Rows, words: pa.Array, n: int) -> Words:
    """The word words[i] belongs to the item rows[i]."""
    encoded = words.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = pa_compute.fill_null(encoded.indices, -1).to_numpy().astype(np.int32)
    if "" in names:
        codes[codes == names.index("")] = -1
    order = np.argsort(codes, kind="stable")  # the rows of a word stay in order
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    places = {name: place for place, name in enumerate(names) if name}
    by_word = rows[order].astype(np.int32) if len(rows) else NO_ROWS.astype(np.int32)
    return Words(kind, places, starts.astype(np.int64), _frozen(by_word), n)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array

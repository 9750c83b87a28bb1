"""A column of texts that become objects only when they are asked for."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import pyarrow as pa


class Texts(Sequence[str]):
    """The texts of an Arrow column of strings without empty cells, which it has to have checked.

    A million Python strings take a tenth of a second to make and 100 MB, and every worker that
    looks at one copies the page that it lies in.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
        _, starts, data = array.buffers()
        end = array.offset + len(array) + 1
        self._starts = np.frombuffer(starts, np.int32)[array.offset : end].data
        self._data = memoryview(data if data is not None else b"")

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...

    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        if isinstance(at, slice):
            return tuple(self[i] for i in range(*at.indices(len(self))))
        at = range(len(self))[at]
        return str(self._data[self._starts[at] : self._starts[at + 1]], "utf-8")

"""Columns of text as numbers and codes."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*$"


def numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return float64 [n], NaN where empty or no number, and bool [n], true where no number."""
    like = pc.match_substring_regex(column, NUMBER)
    bad = pc.fill_null(pc.invert(like), False).to_numpy(zero_copy_only=False)
    good = pc.if_else(like, pc.utf8_trim_whitespace(column), pa.scalar(None, pa.string()))
    values = pc.cast(good, pa.float64()).to_numpy(zero_copy_only=False)
    infinite = np.isinf(values)
    return np.where(infinite, np.nan, values), bad | infinite


def codes(column: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """Return int64 [n], the position of each value in the list of distinct ones, -1 where empty."""
    encoded = column.dictionary_encode()
    indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return indices.astype(np.int64), encoded.dictionary.to_pylist()

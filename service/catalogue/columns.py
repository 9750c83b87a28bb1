"""The catalogue of a release as columns, read whole from `catalogue.parquet`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from service.catalogue.attributes import kind_of, matching, read_attribute
from service.catalogue.texts import Texts
from service.domain.arrays import Codes, Hashes, Mask, Rows, Scores, Times, Vectors
from service.domain.attributes import BUILT_IN, Kind
from service.domain.items import item_hash
from service.domain.requests import Filters
from service.errors import ReleaseRefused
from service.ports.serving import Attribute

FILE = "catalogue.parquet"

SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("hash", pa.uint64()),
        ("title", pa.string()),
        ("category", pa.string()),
        ("seller", pa.string()),
        ("price", pa.float32()),
        ("in_stock", pa.bool_()),
        ("is_blocked", pa.bool_()),
        ("is_new", pa.bool_()),
        ("popularity", pa.float32()),
        ("first_seen_s", pa.float64()),
    ]
)
"""Columns of the file; more may follow. Empty seller = unknown; NaN price or time = unknown."""

FACETS = ["category", "seller"]
SAMPLED_HASHES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What is known of the items (`service.ports.serving.Catalogue`), [n] each, by catalogue row.

    Attributes:
        category_names: sorted; `categories` are positions in it.
        popularity: share of recent positive events when the release was built, float32 [n].
        is_little_known: new, or not more popular than the median item.
        first_seen_s: epoch seconds of the first event, NaN without any.
    """

    item_ids: Sequence[str]
    titles: Sequence[str]
    hashes: Hashes
    categories: Codes
    category_names: Sequence[str]
    sellers: Codes
    seller_names: Sequence[str]
    prices: Scores
    in_stock: Mask
    is_blocked: Mask
    is_new: Mask
    is_little_known: Mask
    popularity: Scores
    first_seen_s: Times
    vectors: Vectors
    row_by_id: Mapping[str, int]
    attributes: Mapping[str, Attribute]

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def n_built(self) -> int:
        """All of them."""
        return len(self.item_ids)

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 when unknown."""
        return self.row_by_id.get(item_id, -1)

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """Rows int64 [n], -1 where unknown."""
        find = self.row_by_id.get
        return np.array([find(item_id, -1) for item_id in item_ids], dtype=np.int64)

    def ids_of(self, rows: Rows) -> tuple[str, ...]:
        """The ids of these rows, [n]."""
        return tuple(map(self.item_ids.__getitem__, rows.tolist()))

    def matching(self, filters: Filters) -> Mask:
        """Which items pass the filters, bool [n].

        Unknown words and numbers match nothing, and nothing passes an undeclared attribute.
        """
        return matching(self.attributes, filters, len(self))


def read_columns(
    path: Path, vectors: Vectors, filterable: Mapping[str, Kind] = BUILT_IN
) -> Columns:
    """Read the catalogue.

    Args:
        path: a Parquet file with the columns of `SCHEMA`.
        vectors: float32 [n, dim] of the same release.
        filterable: the columns that requests may filter by, and their kinds.

    Raises:
        ReleaseRefused: unreadable, a column missing or of another type, empty or repeated ids,
            empty cells, hashes that are not those of the ids.
    """
    table = _read(path)
    ids = table["item_id"].to_pylist()
    row_by_id = dict(zip(ids, range(len(ids)), strict=True))
    if len(row_by_id) != len(ids) or "" in row_by_id:
        raise _refused(path, "has empty or repeated item ids")
    categories, category_names = _encode(table["category"])
    sellers, seller_names = _encode(table["seller"], unknown="")
    columns = {name: _frozen(table[name].to_numpy()) for name in NUMBERS}
    _check_hashes(path, ids, columns["hash"])
    if not (columns["popularity"] >= 0.0).all():
        raise _refused(path, "has a popularity below 0 or that is no number")
    return Columns(
        item_ids=tuple(ids),
        titles=Texts(table["title"]),
        hashes=columns["hash"],
        categories=categories,
        category_names=category_names,
        sellers=sellers,
        seller_names=seller_names,
        prices=columns["price"],
        in_stock=columns["in_stock"],
        is_blocked=columns["is_blocked"],
        is_new=columns["is_new"],
        is_little_known=_frozen(_little_known(columns["is_new"], columns["popularity"])),
        popularity=columns["popularity"],
        first_seen_s=columns["first_seen_s"],
        vectors=vectors,
        row_by_id=row_by_id,
        attributes=_attributes(path, table, filterable),
    )


NUMBERS = ("hash", "price", "in_stock", "is_blocked", "is_new", "popularity", "first_seen_s")


def _read(path: Path) -> pa.Table:
    try:
        # without read-ahead no thread pool is made: whoever loads a release forks afterwards
        file = pa_parquet.ParquetFile(path, pre_buffer=False, read_dictionary=FACETS)
        table = file.read(use_threads=False)
        table.validate(full=True)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        detail = str(error).splitlines()[0][:200]
        raise _refused(path, f"cannot be read ({detail})") from error
    for wanted in SCHEMA:
        at = table.schema.get_field_index(wanted.name)
        if at < 0 or _plain(table.schema.field(at).type) != wanted.type:
            raise _refused(path, f"needs the column {wanted.name} of type {wanted.type}")
        if table.column(at).null_count:
            raise _refused(path, f"has empty cells in the column {wanted.name}")
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _attributes(
    path: Path, table: pa.Table, filterable: Mapping[str, Kind]
) -> dict[str, Attribute]:
    for name, kind in filterable.items():
        at = table.schema.get_field_index(name)
        if at < 0 or kind_of(table.schema.field(at).type) is not kind:
            raise _refused(path, f"needs the column {name} of the kind {kind}: it is filterable")
    return {name: read_attribute(table[name]) for name in filterable}


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The order in which category names are numbered."""
    return tuple(sorted(set(names)))


def _little_known(is_new: Mask, popularity: Scores) -> Mask:
    little: Mask = is_new | (popularity <= np.median(popularity))
    return little


def _encode(column: pa.ChunkedArray, unknown: str | None = None) -> tuple[Codes, tuple[str, ...]]:
    """Positions int32 [n] in the sorted distinct values; -1 for `unknown`."""
    encoded = column.unify_dictionaries().combine_chunks()
    values = encoded.dictionary.to_pylist()
    names = distinct(value for value in values if value != unknown)
    position = {name: i for i, name in enumerate(names)}
    translation = np.array([position.get(value, -1) for value in values], dtype=np.int32)
    return _frozen(translation[encoded.indices.to_numpy()]), names


def _check_hashes(path: Path, ids: Sequence[str], hashes: Hashes) -> None:
    step = max(1, len(ids) // SAMPLED_HASHES)
    if any(item_hash(ids[row]) != hashes[row] for row in range(0, len(ids), step)):
        raise _refused(path, "has hashes that are not those of its item ids")


def _frozen(array: NDArray) -> NDArray:  # type: ignore[type-arg]
    array.setflags(write=False)
    return array


def _refused(path: Path, what: str) -> ReleaseRefused:
    return ReleaseRefused("catalogue", f"{path.name} {what}: publish the release again")

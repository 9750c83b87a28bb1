"""A release before it has a place: every part in memory, in final row order."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from models.build_index import BuiltIndex
from models.errors import PublishInvalid
from service.catalogue import columns
from service.catalogue.attributes import kind_of
from service.domain.arrays import Mask, Rows, Scores, Times, Vectors
from service.domain.attributes import BUILT_IN, Kind
from service.domain.items import item_hash
from service.domain.ladders import Ladder
from service.releases import ladders, probes, vectors
from service.releases.loader import BASELINE, INDEX, ITEM_TOWER, USER_TOWER
from service.releases.manifest import Manifest, Norms
from service.releases.probes import Probes


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Facts of the items, [n] each, in catalogue row order; see `service.catalogue.columns`.

    Attributes:
        attributes: further columns that requests may filter by: texts (a category), lists of
            texts (tags), numbers, booleans (flags).
    """

    ids: Sequence[str]
    titles: Sequence[str]
    categories: Sequence[str]
    sellers: Sequence[str]
    prices: Scores
    popularity: Scores
    first_seen_s: Times
    is_new: Mask
    is_blocked: Mask | None = None
    in_stock: Mask | None = None
    attributes: Mapping[str, pa.Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, order: Rows) -> "ItemColumns":
        """The same items in another order."""
        return ItemColumns(
            ids=[self.ids[i] for i in order],
            titles=[self.titles[i] for i in order],
            categories=[self.categories[i] for i in order],
            sellers=[self.sellers[i] for i in order],
            prices=self.prices[order],
            popularity=self.popularity[order],
            first_seen_s=self.first_seen_s[order],
            is_new=self.is_new[order],
            is_blocked=None if self.is_blocked is None else self.is_blocked[order],
            in_stock=None if self.in_stock is None else self.in_stock[order],
            attributes={name: column.take(order) for name, column in self.attributes.items()},
        )

    @property
    def filterable(self) -> dict[str, Kind]:
        """The columns that requests may filter by, for the manifest.

        Raises:
            PublishInvalid: a further column of a type that cannot be filtered by, or of a name
                that is taken.
        """
        kinds = dict(BUILT_IN)
        for name, column in self.attributes.items():
            kind = kind_of(column.type)
            if kind is None or name in columns.SCHEMA.names:
                raise PublishInvalid(
                    f"the attribute {name!r} of type {column.type} cannot be filtered by: use "
                    "texts, lists of texts, numbers or booleans, under a name of its own"
                )
            kinds[name] = kind
        return kinds

    def table(self) -> pa.Table:
        """The columns of `catalogue.parquet`."""
        n = len(self)
        no, yes = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
        table = pa.table(
            {
                "item_id": pa.array(self.ids, pa.string()),
                "hash": np.array([item_hash(item_id) for item_id in self.ids], dtype=np.uint64),
                "title": pa.array(self.titles, pa.string()),
                "category": pa.array(self.categories, pa.string()),
                "seller": pa.array(self.sellers, pa.string()),
                "price": pa.array(self.prices, pa.float32(), from_pandas=False),
                "in_stock": yes if self.in_stock is None else self.in_stock,
                "is_blocked": no if self.is_blocked is None else self.is_blocked,
                "is_new": self.is_new,
                "popularity": pa.array(self.popularity, pa.float32(), from_pandas=False),
                "first_seen_s": pa.array(self.first_seen_s, pa.float64(), from_pandas=False),
            },
            schema=columns.SCHEMA,
        )
        for name, column in self.attributes.items():
            table = table.append_column(name, column)
        return table


@dataclass(frozen=True, slots=True)
class Draft:
    """All parts of a release.

    Attributes:
        manifest: complete but for `files`, which are counted when they lie on disk.
    """

    manifest: Manifest
    items: ItemColumns
    vectors: Vectors
    user_tower: bytes
    index: BuiltIndex
    ladder: Ladder
    probes: Probes
    baseline: Mapping[str, object]
    item_tower: bytes | None = None

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write every file but the manifest; returns their names."""
        self.index.index.save(folder / INDEX)
        pa_parquet.write_table(self.items.table(), folder / columns.FILE, compression="zstd")
        contents = dict(self._contents())
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return (INDEX, columns.FILE, *contents)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        yield USER_TOWER, self.user_tower
        if self.item_tower is not None:
            yield ITEM_TOWER, self.item_tower
        yield vectors.FILE, npy_bytes(self.vectors)
        names = dict(enumerate(self.items.ids))
        yield ladders.FILE, ladders.ladder_json(self.ladder, names).encode()
        yield probes.FILE, self.probes.as_bytes()
        yield BASELINE, json.dumps(self.baseline, indent=1, allow_nan=False).encode()


def npy_bytes(array: Vectors) -> bytes:
    """The array as a .npy file, float32 in C order."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def norms_of(vectors: Vectors) -> Norms:
    """Lengths of the vectors, for the manifest."""
    lengths = np.linalg.norm(vectors, axis=1)
    return Norms(*(round(float(x), 6) for x in (lengths.min(), lengths.mean(), lengths.max())))

"""Parts as a builder at fault publishes them: every hash agrees, only what is in them tells."""

import io
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.building.draft import npy_bytes
from service.domain.arrays import Vectors
from service.indexes.hnsw import HnswIndex
from service.indexes.hnsw_file import HEADER, read_index_file
from service.releases.probes import Probes, read_probes
from tests.service.releases.breaking import (
    change_catalogue,
    change_vectors,
    replace_file,
    set_item,
    sign,
    sign_manifest,
)
from tests.service.releases.mutations import Mutation

VECTORS, CATALOGUE, INDEX = "item_vectors.npy", "catalogue.parquet", "items.hnsw"
DIM, N_ITEMS = 16, 300
MAX_ELEMENTS_AT, ENTRY_AT = 8, 52


def _vectors(reason: str, spoil: Callable[[Vectors], object]) -> Mutation:
    """Vectors spoiled in place by a builder that then made its index of them, and signed both."""

    def change(release: Path, other: Path) -> None:
        def spoiled(vectors: Vectors) -> Vectors:
            spoil(vectors)
            return vectors

        change_vectors(release, spoiled)

    return Mutation(change, reason, VECTORS)


def _set(rows: slice, value: object) -> Callable[[Vectors], object]:
    return lambda vectors: vectors.__setitem__(rows, value)


def _replaced(name: str, content: bytes, reason: str) -> Mutation:
    return Mutation(lambda release, _: replace_file(release, name, content), reason, name)


def _rebuilt(make: Callable[[Vectors], HnswIndex]) -> Mutation:
    def change(release: Path, other: Path) -> None:
        make(np.load(release / VECTORS)).save(release / INDEX)
        sign(release)

    return Mutation(change, "index", INDEX)


def _patched(at: int, new: bytes) -> Mutation:
    def change(release: Path, other: Path) -> None:
        content = bytearray((release / INDEX).read_bytes())
        content[at : at + len(new)] = new
        replace_file(release, INDEX, bytes(content))

    return Mutation(change, "index", INDEX)


def _upper_links_lead_to(row: int) -> Mutation:
    """Every link above level 0 leads to one element: most have no list of that level."""

    def change(release: Path, other: Path) -> None:
        header = read_index_file(release / INDEX).header
        content = bytearray((release / INDEX).read_bytes())
        at = HEADER.size + header.count * header.record_bytes
        for _ in range(header.count):
            (length,) = struct.unpack_from("<I", content, at)
            for first in range(at + 4, at + 4 + length, 4 * (header.max_links + 1)):
                struct.pack_into("<II", content, first, 1, row)
            at += 4 + length
        replace_file(release, INDEX, bytes(content))

    return Mutation(change, "index", INDEX)


def _index_cut(length: int) -> Mutation:
    def change(release: Path, other: Path) -> None:
        replace_file(release, INDEX, (release / INDEX).read_bytes()[:length])

    return Mutation(change, "index", INDEX)


def _permuted(release: Path, other: Path) -> None:
    change_catalogue(release, lambda table: table.take(np.arange(len(table))[::-1]))


def _rolled(release: Path, other: Path) -> None:
    """Vectors, and an index made of them, one row further than the catalogue."""
    vectors = np.roll(np.load(release / VECTORS), 1, axis=0)
    HnswIndex.build(vectors, 16, 200, 128).save(release / INDEX)
    replace_file(release, VECTORS, npy_bytes(vectors))


def _shuffled(column: str) -> Callable[[Path, Path], None]:
    """One column of item features in another order, hashes signed in the manifest alone."""

    def change(release: Path, other: Path) -> None:
        order = np.random.default_rng(0).permutation(N_ITEMS)
        (stamped := release / "stamped").mkdir()
        for tower in ("user_tower.onnx", "item_tower.onnx"):
            shutil.copyfile(release / tower, stamped / tower)
        change_catalogue(release, lambda table: set_item(table, column, table[column].take(order)))
        for tower in ("user_tower.onnx", "item_tower.onnx"):
            shutil.copyfile(stamped / tower, release / tower)
        shutil.rmtree(stamped)
        sign_manifest(release)

    return change


def _probes(change: Callable[[Probes], Probes]) -> Mutation:
    def mutate(release: Path, other: Path) -> None:
        path = release / "probes.npz"
        replace_file(
            release, path.name, change(read_probes(path.read_bytes(), DIM, N_ITEMS)).as_bytes()
        )

    return Mutation(mutate, "golden", "probes.npz")


def _object_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


PUBLISHED = {
    "vectors with one NaN": _vectors("vectors", _set(slice(7, 8), np.nan)),
    "vectors with 5 % NaN": _vectors("vectors", _set(slice(0, 300, 20), np.nan)),
    "vectors with an infinity": _vectors("vectors", _set(slice(7, 8), np.inf)),
    "one vector x50": _vectors("gate_norms", lambda v: v[9:10].__imul__(50)),
    "1 % of vectors x50": _vectors("gate_norms", lambda v: v[::100].__imul__(50)),
    "zero vectors": _vectors("gate_norms", _set(slice(0, 300, 50), 0.0)),
    "half-length vectors": _vectors("gate_norms", lambda v: v.__imul__(0.5)),
    "5 % duplicates": _vectors("gate_duplicates", lambda v: _set(slice(0, 16), v[20])(v)),
    "all vectors alike": _vectors("gate_duplicates", lambda v: _set(slice(0, 300), v[20])(v)),
    "vectors as float64": _replaced(VECTORS, npy_bytes(np.zeros((3, 3))), "vectors"),
    "pickled vectors": _replaced(VECTORS, _object_array(), "vectors"),
    "text in place of vectors": _replaced(VECTORS, b"hello " * 100, "vectors"),
    "text in place of the index": _replaced(INDEX, b"hello " * 100, "index"),
    "an empty index": _replaced(INDEX, b"", "index"),
    "half an index": _index_cut(20_000),
    "an index without its end": _index_cut(-4),
    "an index of another width": _rebuilt(lambda v: HnswIndex.build(v[:, :8].copy(), 16, 200, 128)),
    "an index of fewer items": _rebuilt(lambda v: HnswIndex.build(v[:200], 16, 200, 128)),
    "an index of other vectors": _rebuilt(lambda v: HnswIndex.build(v[::-1].copy(), 16, 200, 128)),
    "an index with another M": _rebuilt(lambda v: HnswIndex.build(v, 8, 200, 128)),
    "an entry point beyond the end": _patched(ENTRY_AT, struct.pack("<I", 10_000)),
    "max_elements below the count": _patched(MAX_ELEMENTS_AT, struct.pack("<Q", 10)),
    "max_elements of 400 GB": _patched(MAX_ELEMENTS_AT, struct.pack("<Q", 10**9)),
    "links beyond the end": _patched(HEADER.size + 4, b"\xff\xff\xff\x7f" * 8),
    "upper links into nothing": _upper_links_lead_to(0),
    "deleted elements": _patched(HEADER.size + 2, b"\x01"),
    "permuted catalogue rows": Mutation(_permuted, "golden", CATALOGUE),
    "vectors one row off": Mutation(_rolled, "golden", VECTORS),
    "shuffled titles": Mutation(_shuffled("title"), "version", CATALOGUE),
    "shuffled categories": Mutation(_shuffled("category"), "version", CATALOGUE),
    "shuffled prices": Mutation(_shuffled("price"), "version", CATALOGUE),
    "text in place of the catalogue": _replaced(CATALOGUE, b"PAR1 hello PAR1", "catalogue"),
    "a ladder with unknown items": _replaced(
        "ladder.json", b'{"popular": {"all": ["nobody"]}, "trending": {}}', "catalogue"
    ),
    "a deep ladder": _replaced("ladder.json", b"[" * 100_000, "catalogue"),
    "a deep baseline": _replaced("baseline.json", b"[" * 100_000, "manifest"),
    "text in place of probes": _replaced("probes.npz", b"PK\x03\x04 hello", "golden"),
    "no probes in the file": _probes(
        lambda p: Probes(
            {name: array[:0] for name, array in p.inputs.items()},
            *(p.hashes[:0], p.vectors[:0], p.rows[:0]),
        )
    ),
    "probes with NaN": _probes(lambda p: replace(p, vectors=p.vectors * np.nan)),
    "other answers in the probes": _probes(lambda p: replace(p, vectors=p.vectors[::-1])),
    "other neighbours in the probes": _probes(lambda p: replace(p, rows=p.rows[::-1])),
    "one neighbour repeated in the probes": _probes(lambda p: replace(p, rows=p.rows * 0)),
    "a text as history in the probes": _probes(
        lambda p: replace(p, inputs=p.inputs | {"item_rows": np.full((64, 20), "x")})
    ),
}

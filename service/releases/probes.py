"""Golden probes: known questions with known answers, asked before a release goes live."""

import io
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Hashes, Mask, Rows, Vectors
from service.errors import ReleaseRefused, Unavailable
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.ports.serving import Catalogue
from service.towers.features import Inputs, item_vectors
from service.towers.onnx import OnnxUserTower

FILE = "probes.npz"
INPUT = "input_"
DEPTH = 100
"""Neighbours kept per probe, and k of the recall."""

LARGEST_BYTES = 512 * 1024 * 1024
TYPES = tuple(map(np.dtype, (np.int64, np.int64, np.uint64, np.float32)))
"""Of item rows, neighbours, hashes and vectors."""

COSINE_FLOOR = 0.9999
EXACT_FLOOR = 0.98
"""Exact search may swap neighbours of equal score at the end of the list, and no more."""


@dataclass(frozen=True, slots=True)
class Probes:
    """P questions.

    Attributes:
        inputs: tower inputs by name, [P, ...]; `item_rows` always, `item_vectors` never: those
            come from the release itself, which proves that they fit the tower.
        hashes: `item_hash` of each item in `item_rows`, uint64 [P, H]; 0 where padded.
        vectors: what the trained tower answered, float32 [P, dim].
        rows: exact nearest catalogue rows, int64 [P, m], best first; m = min(100, items).
    """

    inputs: Inputs
    hashes: Hashes
    vectors: Vectors
    rows: Rows

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def has_history(self) -> Mask:
        """Which of them are of somebody who has done something, bool [P]."""
        return has_history(self.inputs)

    def as_bytes(self) -> bytes:
        """The probes as a compressed npz file."""
        arrays = {INPUT + name: array for name, array in self.inputs.items()}
        buffer = io.BytesIO()
        arrays |= {"hashes": self.hashes, "vectors": self.vectors, "rows": self.rows}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def read_probes(content: bytes, dim: int, n_items: int) -> Probes:
    """Read the probes of a release.

    Raises:
        ReleaseRefused: "golden": unreadable, or of another shape than the release.
    """
    try:
        arrays = _arrays(content)
        probes = Probes(
            {k.removeprefix(INPUT): v for k, v in arrays.items() if k.startswith(INPUT)},
            arrays["hashes"],
            arrays["vectors"],
            arrays["rows"],
        )
        rows = probes.inputs["item_rows"]
    except Exception as error:  # zipfile, zlib and numpy share no base for damaged bytes
        raise _refused(f"{FILE} cannot be read ({error})") from error
    n, depth = len(probes), min(DEPTH, n_items)
    fits = n > 0 and probes.vectors.shape == (n, dim) and probes.rows.shape == (n, depth)
    if not fits or rows.shape[:1] != (n,) or probes.hashes.shape != rows.shape:
        raise _refused(f"{FILE} does not fit dim {dim} and {n_items} items")
    types = (rows.dtype, probes.rows.dtype, probes.hashes.dtype, probes.vectors.dtype)
    if types != TYPES or not np.isfinite(probes.vectors).all():
        raise _refused(f"{FILE} holds other types than {', '.join(map(str, TYPES))}, or no numbers")
    if min(rows.min(), probes.rows.min()) < 0 or max(rows.max(), probes.rows.max() + 1) > n_items:
        raise _refused(f"{FILE} names rows that the catalogue does not have")
    return probes


def _arrays(content: bytes) -> Inputs:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        unpacked = sum(part.file_size for part in file.zip.infolist())
        if unpacked > LARGEST_BYTES:
            raise ValueError(f"{unpacked} bytes unpacked, allowed are {LARGEST_BYTES}")
        return {name: file[name] for name in file.files}


def check_vectors(probes: Probes, tower: OnnxUserTower, catalogue: Catalogue) -> float:
    """Ask the tower; returns the lowest cosine with the recorded answers.

    Raises:
        ReleaseRefused: "golden": other items than recorded stand in the rows, or the tower
            answers otherwise.
    """
    rows = probes.inputs["item_rows"]
    hashes = np.where(rows > 0, catalogue.hashes[rows - 1], np.uint64(0))
    if not np.array_equal(hashes, probes.hashes):
        raise _refused("catalogue.parquet has other items in its rows than the golden probes")
    inputs = {**probes.inputs, "item_vectors": item_vectors(rows, catalogue.vectors)}
    try:
        found = tower.run({name: inputs[name] for name in tower.input_names})
    except (Unavailable, KeyError) as error:
        raise _refused(f"user_tower.onnx fails on the golden probes ({error})") from error
    if found.shape != probes.vectors.shape:
        raise _refused(f"user_tower.onnx gives shape {found.shape} on the golden probes")
    cosines = (found * probes.vectors).sum(axis=1) / np.maximum(
        np.linalg.norm(found, axis=1) * np.linalg.norm(probes.vectors, axis=1), 1e-12
    )
    worst = int(np.argmin(np.nan_to_num(cosines, nan=-1.0)))
    if not cosines[worst] >= COSINE_FLOOR:
        raise _refused(
            f"user_tower.onnx and item_vectors.npy are not those of {FILE}: another vector for "
            f"golden probe {worst}, cosine {cosines[worst]:.4f} < {COSINE_FLOOR}"
        )
    return float(cosines[worst])


def check_neighbours(probes: Probes, exact: ExactIndex) -> Rows:
    """Search exactly with the recorded vectors; returns the nearest rows, int64 [P, m].

    Raises:
        ReleaseRefused: "golden": others than recorded.
    """
    nearest = exact.search_all(probes.vectors, probes.rows.shape[1])
    agreement = overlap(nearest, probes.rows)
    if agreement < EXACT_FLOOR:
        raise _refused(
            f"item_vectors.npy has other neighbours than {FILE} ({agreement:.3f} in common)"
        )
    return nearest


def check_recall(probes: Probes, nearest: Rows, index: HnswIndex, floor: float) -> float:
    """Recall of the index at 100 against exact search, mean over the probes.

    Raises:
        ReleaseRefused: "recall".
    """
    depth = nearest.shape[1]
    try:
        found = np.array([index.search(vector, depth)[0] for vector in probes.vectors])
    except Unavailable as error:
        raise ReleaseRefused(
            "recall", f"items.hnsw cannot answer the golden probes ({error}): build it again"
        ) from error
    recall = overlap(found, nearest)
    if recall < floor:
        raise ReleaseRefused(
            "recall",
            f"items.hnsw reaches recall {recall:.3f} at {depth} on the golden probes, below "
            f"{floor}: build it with a larger ef or M",
        )
    return recall


def has_history(inputs: Inputs) -> Mask:
    """Which of a batch of tower inputs are of somebody who has done something, bool [B]."""
    mask: Mask = np.any(inputs["item_rows"] > 0, axis=1)
    return mask


def overlap(found: Rows, wanted: Rows) -> float:
    """Mean share of `wanted` [P, m] that is in `found` [P, m]."""
    pairs = zip(found, wanted, strict=True)
    return float(np.mean([np.isin(w, f, assume_unique=True).mean() for f, w in pairs]))


def _refused(what: str) -> ReleaseRefused:
    return ReleaseRefused("golden", f"{what}: publish the release again")

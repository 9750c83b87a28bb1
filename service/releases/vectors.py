"""The item vectors of a release: mapped, not read, and checked before anything trusts them."""

from pathlib import Path

import numpy as np

from service.domain.arrays import Vectors
from service.errors import ReleaseRefused
from service.releases.manifest import Manifest

FILE = "item_vectors.npy"
NORM_TOLERANCE = 1e-3
BLOCK_ROWS = 65_536


def map_vectors(path: Path, manifest: Manifest) -> Vectors:
    """Map `item_vectors.npy` into memory as float32 [n_items, dim].

    Raises:
        ReleaseRefused: "vectors": not such an array, not finite, or not of unit length.
    """
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _refused(f"cannot be read ({error})") from error
    vectors = np.asarray(mapped)  # a plain view: indexing a memmap is slower
    wanted = (manifest.n_items, manifest.dim)
    if vectors.shape != wanted:
        raise _refused(f"has shape {vectors.shape}, the manifest says {wanted}")
    if vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
        raise _refused(f"holds {vectors.dtype}, not float32 in C order")
    for start in range(0, len(vectors), BLOCK_ROWS):
        _check_lengths(vectors[start : start + BLOCK_ROWS], start)
    return vectors


def _check_lengths(block: Vectors, start: int) -> None:
    lengths = np.sqrt(np.einsum("ij,ij->i", block, block))  # not finite if any element is not
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= NORM_TOLERANCE))
    if not len(wrong):
        return
    row, length = start + int(wrong[0]), float(lengths[wrong[0]])
    if not np.isfinite(length):
        raise _refused(f"is not finite in row {row}")
    raise _refused(f"has length {length:.4g} in row {row}, not 1")


def _refused(what: str) -> ReleaseRefused:
    return ReleaseRefused("vectors", f"{FILE} {what}: publish the release again")

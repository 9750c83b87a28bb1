"""The item vectors of a release, checked before anything trusts them."""

from pathlib import Path

import numpy as np

from service.domain.arrays import Hashes, Scores, Vectors
from service.errors import ReleaseRefused
from service.releases.manifest import Manifest

FILE = "item_vectors.npy"
NORM_TOLERANCE = 1e-3
DUPLICATE_SHARE = 0.01
DUPLICATES_ALLOWED = 5
"""In a catalogue of any size: two items of one title are no fault."""

BLOCK_ROWS = 65_536
SEED = 40


def read_vectors(path: Path, manifest: Manifest) -> Vectors:
    """Read `item_vectors.npy` as float32 [n_items, dim].

    Read, not mapped: whoever wrote into a mapped file would change what a live release serves,
    and whoever cut it off would end its processes (SIGBUS). Forked workers share the memory.

    Raises:
        ReleaseRefused: "vectors": not such an array; not finite.
    """
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _refused("vectors", f"cannot be read ({error})") from error
    wanted = (manifest.n_items, manifest.dim)
    if vectors.shape != wanted:
        raise _refused("vectors", f"has shape {vectors.shape}, the manifest says {wanted}")
    if vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
        raise _refused("vectors", f"holds {vectors.dtype}, not float32 in C order")
    vectors.setflags(write=False)
    return vectors


def check_lengths(vectors: Vectors, manifest: Manifest) -> None:
    """Every vector finite and of unit length, as the manifest says too.

    Raises:
        ReleaseRefused: "vectors" where one is not finite, "gate_norms" for a length.
    """
    lengths = _lengths(vectors)  # not finite if any element is not
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= NORM_TOLERANCE))
    if len(wrong):
        row, length = int(wrong[0]), float(lengths[wrong[0]])
        if not np.isfinite(length):
            raise _refused("vectors", f"is not finite in row {row}")
        raise _refused("gate_norms", f"has length {length:.4g} in row {row}, not 1")
    said, found = manifest.norms, (lengths.min(), lengths.mean(), lengths.max())
    if np.abs(np.subtract(found, (said.min, said.mean, said.max))).max() > NORM_TOLERANCE:
        raise _refused("gate_norms", f"has other lengths than the manifest's norms, {said}")


def check_duplicates(vectors: Vectors) -> int:
    """Count items whose vector another item has too.

    Raises:
        ReleaseRefused: "gate_duplicates": more than 1 %, and more than 5.
    """
    hashes = np.sort(_row_hashes(vectors))
    n = int((hashes[1:] == hashes[:-1]).sum())
    if n > max(DUPLICATES_ALLOWED, DUPLICATE_SHARE * len(vectors)):
        raise _refused(
            "gate_duplicates",
            f"repeats the vectors of {n} items ({n / len(vectors):.1%}, allowed is "
            f"{DUPLICATE_SHARE:.0%})",
        )
    return n


def _lengths(vectors: Vectors) -> Scores:
    blocks = (vectors[at : at + BLOCK_ROWS] for at in range(0, len(vectors), BLOCK_ROWS))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([np.sqrt(np.einsum("ij,ij->i", b, b)) for b in blocks])


def _row_hashes(vectors: Vectors) -> Hashes:
    """Sum of the bits of each number times a random odd weight of its column, modulo 2^64."""
    random = np.random.default_rng(SEED)
    weights = random.integers(0, 2**63, vectors.shape[1], dtype=np.uint64) * np.uint64(2)
    weights += np.uint64(1)
    bits = vectors.view(np.uint32)
    blocks = (bits[at : at + BLOCK_ROWS] for at in range(0, len(bits), BLOCK_ROWS))
    hashes: Hashes = np.concatenate([block @ weights for block in blocks])
    return hashes


def _refused(reason: str, what: str) -> ReleaseRefused:
    return ReleaseRefused(reason, f"{FILE} {what}: publish the release again")

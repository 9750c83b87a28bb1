"""Whether the parts of a loaded release still are of one version: cheap enough to ask often."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from service.domain.items import item_hash
from service.indexes.hnsw import HnswIndex
from service.ports.serving import Release
from service.releases.manifest import INDEX, USER_TOWER, FileFacts
from service.releases.stamps import VERSION, foreign_file
from service.towers.onnx import OnnxUserTower

SAMPLES = 64


def handshake(release: Release) -> str | None:
    """Compare tower, index, vectors and catalogue in memory; nothing is read from the files.

    The tower carries the embedding version and the hashes of the files that it was published
    with; index and vectors have to hold the same numbers in 64 rows, and the ids of these rows
    the hashes that the catalogue says.

    Returns:
        None when all agree, else a sentence without its end that names the parts.
    """
    if isinstance(release.tower, OnnxUserTower):
        properties = release.tower.properties
        if properties.get(VERSION) != release.embedding_version:
            found = properties.get(VERSION) or "none"
            return f"{USER_TOWER} is of {found}, the release of {release.embedding_version}"
        other = foreign_file(properties, _files(release))
        if other is not None:
            return f"{other} is not the file that {USER_TOWER} was published with"
    return _rows_differ(release)


def _files(release: Release) -> Mapping[str, FileFacts]:
    files = cast(Mapping[str, Mapping[str, Any]], release.manifest["files"])
    return {name: FileFacts(facts["sha256"], facts["bytes"]) for name, facts in files.items()}


def _rows_differ(release: Release) -> str | None:
    catalogue = release.catalogue
    n_built = cast(int, release.manifest["n_items"])  # behind them are items that arrived later
    rows = np.unique(np.linspace(0, n_built - 1, SAMPLES).astype(np.int64))
    for row in rows.tolist():
        if item_hash(catalogue.item_ids[row]) != catalogue.hashes[row]:
            return f"catalogue.parquet has another item in row {row} than its hash says"
    wanted = catalogue.vectors[rows]
    if isinstance(release.index, HnswIndex) and not np.array_equal(
        release.index.vectors_of(rows), wanted
    ):
        return f"{INDEX} holds other vectors than item_vectors.npy"
    return None

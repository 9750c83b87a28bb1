"""Approximate search with hnswlib, inner product, label = catalogue row."""

from pathlib import Path

import hnswlib
import numpy as np

from service.domain.arrays import NO_ROWS, NO_SCORES, Rows, Scores, Vector, Vectors
from service.errors import IndexUnavailable
from service.indexes.hnsw_file import open_index_file
from service.indexes.hnsw_links import IndexFileInvalid
from service.indexes.hnsw_state import state_of
from service.indexes.query import check_query

ENGINE = "hnswlib"
ENGINE_VERSION = "0.8.0"
SPACE = "ip"
RETRY_FACTOR = 4


class HnswIndex:
    """Item index (`service.ports.serving.ItemIndex`) on a loaded hnswlib graph; never changed.

    Searches run on the caller's thread, one at a time: `ef` is a property of the whole graph.
    """

    def __init__(self, graph: hnswlib.Index, ef: int) -> None:
        graph.set_num_threads(1)
        graph.set_ef(ef)  # a loaded graph has forgotten it (10)
        self.ef = ef
        self._graph = graph
        self._ef_now = ef
        self._count = int(graph.get_current_count())
        self._dim = int(graph.dim)

    @classmethod
    def load(cls, path: Path, dim: int, ef: int) -> "HnswIndex":
        """Load a file whose links were checked (`service.indexes.hnsw_file`); hnswlib does not.

        Not by `load_index`: most of its time goes into asking for its place in the file.

        Raises:
            IndexUnavailable: the file does not add up, or hnswlib refuses it.
        """
        graph = hnswlib.Index.__new__(hnswlib.Index)
        try:
            file = open_index_file(path)
            if file.header.dim != dim:
                raise IndexUnavailable("dim", f"{path.name} has {file.header.dim} dimensions")
            graph.__setstate__((state_of(file, SPACE),))
        except (IndexFileInvalid, RuntimeError) as error:
            raise IndexUnavailable("exception", f"{path.name}: {error}") from error
        return cls(graph, ef)

    @classmethod
    def build(cls, vectors: Vectors, m: int, ef_construction: int, ef: int) -> "HnswIndex":
        """Build a graph over float32 [n_items, dim] on one thread, so that it can be repeated."""
        graph = hnswlib.Index(space=SPACE, dim=vectors.shape[1])
        graph.init_index(
            max_elements=len(vectors), M=m, ef_construction=ef_construction, random_seed=1
        )
        graph.add_items(vectors, np.arange(len(vectors)), num_threads=1)
        return cls(graph, ef)

    def with_ef(self, ef: int) -> "HnswIndex":
        """The same graph, searched with another ef; do not use both at once."""
        return HnswIndex(self._graph, ef)

    def save(self, path: Path) -> None:
        self._graph.save_index(str(path))

    def __len__(self) -> int:
        return self._count

    def vectors_of(self, rows: Rows) -> Vectors:
        """The vectors as the graph holds them, float32 [m, dim]."""
        return np.asarray(self._graph.get_items(rows, return_type="numpy"), dtype=np.float32)

    def search(self, vector: Vector, n: int) -> tuple[Rows, Scores]:
        """Rows int64 [m] and inner products float32 [m], best first; m = min(n, items).

        A graph in which fewer than n items are reached with this `ef` is searched again with a
        larger one, up to the number of items.

        Raises:
            IndexUnavailable: with the outcome dim or nan for the query, short when too few items
                can be reached, exception when hnswlib fails otherwise.
        """
        check_query(vector, self._dim)
        n = min(n, self._count)
        if n <= 0:
            return NO_ROWS, NO_SCORES
        ef = max(self.ef, n)
        while True:
            try:
                return self._query(vector, n, ef)
            except RuntimeError as error:
                if "contiguous 2D array" not in str(error):
                    raise IndexUnavailable("exception", f"hnswlib: {error}") from error
                if ef >= self._count:
                    raise IndexUnavailable("short", f"fewer than {n} items found") from error
            ef = min(ef * RETRY_FACTOR, self._count)

    def _query(self, vector: Vector, n: int, ef: int) -> tuple[Rows, Scores]:
        if ef != self._ef_now:
            self._graph.set_ef(ef)
            self._ef_now = ef
        labels, distances = self._graph.knn_query(vector.reshape(1, -1), k=n, num_threads=1)
        rows: Rows = labels[0].astype(np.int64)
        return rows, np.subtract(1.0, distances[0], dtype=np.float32)

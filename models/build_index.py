"""Builds the index: the graph, and the proof that it finds what exact search finds."""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import PublishInvalid
from service.domain.arrays import Rows, Vector, Vectors
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import ENGINE, ENGINE_VERSION, HnswIndex
from service.releases.manifest import IndexFacts
from service.releases.probes import DEPTH, overlap

RECALL_FLOOR = 0.95
EF_CONSTRUCTION = 200
EFS = (128, 200, 400, 800)
MS = (16, 32, 48)
MAX_QUERIES = 1000
N_PROBES = 64
"""The first queries become the golden probes: the floor has to hold on them as well."""

Build = Callable[[Vectors, int, int, int], HnswIndex]
"""Makes a graph of vectors, M, ef_construction and ef."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting of the index and what it reached on the queries, one thread."""

    M: int
    ef_search: int
    recall: float
    recall_of_probes: float
    p50_us: float
    p95_us: float

    def __str__(self) -> str:
        return (
            f"M {self.M}, ef {self.ef_search}: recall at {DEPTH} {self.recall:.4f}, "
            f"p50 {self.p50_us:.0f} us, p95 {self.p95_us:.0f} us"
        )


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """The first setting that reached the floor, and all that were tried before it."""

    index: HnswIndex
    facts: IndexFacts
    trials: tuple[Trial, ...]


def build_index(
    vectors: Vectors,
    queries: Vectors,
    floor: float = RECALL_FLOOR,
    efs: Sequence[int] = EFS,
    ms: Sequence[int] = MS,
    build: Build = HnswIndex.build,
) -> BuiltIndex:
    """Build until recall at 100 on the queries holds the floor: first a larger ef, then M.

    Args:
        vectors: float32 [n, dim], unit length, in final row order.
        queries: user vectors as they will be asked, float32 [q, dim]; random or item vectors
            are harder or easier than real ones.
        floor: lowest recall that is good enough.
        efs: tried in turn for each M.
        ms: values of M, tried in turn.
        build: makes the graph; another one may keep what took long.

    Raises:
        PublishInvalid: no setting reaches the floor.
    """
    queries = np.ascontiguousarray(queries[:MAX_QUERIES])
    exact = ExactIndex(vectors)
    true = np.array([exact.search(query, DEPTH)[0] for query in queries])
    graphs = ((m, build(vectors, m, EF_CONSTRUCTION, efs[0])) for m in ms)
    trials: list[Trial] = []
    for index, trial in _settings(graphs, queries, true, efs):
        trials.append(trial)
        if min(trial.recall, trial.recall_of_probes) >= floor:
            facts = IndexFacts(
                engine=ENGINE,
                version=ENGINE_VERSION,
                M=trial.M,
                ef_construction=EF_CONSTRUCTION,
                ef_search=trial.ef_search,
                recall=round(trial.recall, 6),
                recall_floor=floor,
            )
            return BuiltIndex(index, facts, tuple(trials))
    best = max(trials, key=lambda trial: trial.recall)
    raise PublishInvalid(
        f"the index misses its recall floor {floor}; the best of {len(trials)} settings was "
        f"{best}: lower --recall-floor, or train vectors that are less alike"
    )


def _settings(
    graphs: Iterable[tuple[int, HnswIndex]], queries: Vectors, true: Rows, efs: Sequence[int]
) -> Iterator[tuple[HnswIndex, Trial]]:
    for m, built in graphs:
        for ef in efs:
            index = built.with_ef(ef)
            found, latency_s = _timed(index.search, queries)
            p50, p95 = np.percentile(latency_s, (50, 95)) * 1e6
            of_probes = overlap(found[:N_PROBES], true[:N_PROBES])
            yield index, Trial(m, ef, overlap(found, true), of_probes, float(p50), float(p95))


def _timed(
    search: Callable[[Vector, int], tuple[Rows, object]], queries: Iterable[Vector]
) -> tuple[Rows, "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    found, latency_s = [], []
    for query in queries:
        began_s = time.perf_counter()
        rows, _ = search(query, DEPTH)
        latency_s.append(time.perf_counter() - began_s)
        found.append(rows)
    return np.array(found), np.array(latency_s)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Build an index over vectors and report recall and latency together."
    parser.add_argument("--vectors", type=Path, required=True, help="float32 [n, dim] as .npy")
    parser.add_argument("--queries", type=Path, help="user vectors as .npy (default: the items)")
    parser.add_argument("--out", type=Path, required=True, help="the index file to write")
    parser.add_argument("--recall-floor", type=float, default=RECALL_FLOOR)


def command(args: argparse.Namespace) -> int:
    vectors = _read(args.vectors)
    queries = vectors[:MAX_QUERIES] if args.queries is None else _read(args.queries)
    if queries.shape[1] != vectors.shape[1]:
        raise PublishInvalid(
            f"{args.queries} holds vectors of {queries.shape[1]} dimensions, {args.vectors} of "
            f"{vectors.shape[1]}: take both from one training"
        )
    built = build_index(vectors, queries, args.recall_floor)
    partial = args.out.with_name(args.out.name + ".partial")
    built.index.save(partial)
    partial.replace(args.out)
    for trial in built.trials:
        print(trial)
    print(f"{args.out}: {len(vectors)} vectors")
    return 0


def _read(path: Path) -> Vectors:
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PublishInvalid(f"{path} is not a readable .npy file: {error}") from error
    is_table = vectors.ndim == 2 and vectors.dtype == np.float32  # noqa: PLR2004
    if not is_table or not np.isfinite(vectors).all():
        raise PublishInvalid(f"{path} must hold finite float32 vectors [n, dim]")
    return vectors

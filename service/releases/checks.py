"""The checks of a release, one function each; what they return is said to whoever asks."""

import json
import time

import numpy as np

from service.catalogue import columns
from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.domain.actions import ACTIONS
from service.domain.arrays import Vectors
from service.domain.sessions import Session
from service.errors import ReleaseRefused, Unavailable
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.indexes.hnsw_file import IndexFile, read_index_file
from service.indexes.hnsw_links import IndexFileInvalid
from service.indexes.router import Router
from service.releases import exposure, files, ladders, manifest, probes, vectors
from service.releases.handshake import handshake
from service.releases.loading import Loading
from service.releases.manifest import BASELINE, INDEX, ITEM_TOWER, USER_TOWER
from service.releases.stamps import check_stamp
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxUserTower, load_item_tower
from service.towers.onnx_file import check_onnx_file

WARM_UP_ROUNDS = 20
BLOCK_ROWS = 4096


def check_manifest(release: Loading) -> str:
    """Names, and everything that the manifest says by itself."""
    files.check_folder(release.folder)
    facts = manifest.read_manifest(release.folder / manifest.FILE)
    if facts.release != release.folder.name:
        raise ReleaseRefused(
            "name",
            f"{manifest.FILE} is of the release {facts.release}, the folder is named "
            f"{release.folder.name}: give the folder its name back",
        )
    if not set(facts.actions) & set(ACTIONS):
        raise ReleaseRefused(
            "manifest", f"{manifest.FILE}: actions has none of {', '.join(ACTIONS)}: name some"
        )
    release.manifest = facts
    return f"{facts.release}, embedding version {facts.embedding_version}"


def check_complete(release: Loading) -> str:
    """All files there, none besides, no links."""
    files.check_complete(release.folder, release.manifest)
    release.identities = files.identities(release.folder, release.manifest)
    return f"{len(release.manifest.files)} files, no links, nothing else"


def check_bytes(release: Loading) -> str:
    """Lengths and hashes: nothing is opened before its bytes are proved."""
    files.check_bytes(release.folder, release.manifest)
    total = sum(facts.bytes for facts in release.manifest.files.values())
    return f"{total / 1e6:.1f} MB, lengths and SHA-256 as published"


def check_tower_files(release: Loading) -> str:
    """What the towers are made of, and what they were published with; nothing runs yet."""
    facts = release.manifest
    names = [name for name in (USER_TOWER, ITEM_TOWER) if name in facts.files]
    operators: set[tuple[str, str]] = set()
    for name in names:
        found = check_onnx_file(release.read(name), name)
        check_stamp(name, found.properties, facts)
        operators |= found.operators
    return f"{' and '.join(names)}, {len(operators)} operators, stamped with the other files"


def check_vectors(release: Loading) -> str:
    """Shape and type."""
    facts = release.manifest
    release.vectors = vectors.read_vectors(release.folder / vectors.FILE, facts)
    release.exact = ExactIndex(release.vectors)
    return f"{facts.n_items} x {facts.dim}, float32"


def check_lengths(release: Loading) -> str:
    """Finite, unit length, hardly any duplicates."""
    vectors.check_lengths(release.vectors, release.manifest)
    n = vectors.check_duplicates(release.vectors)
    return f"finite, unit length, {n} duplicates"


def check_catalogue(release: Loading) -> str:
    """Columns, ids, hashes, number of items."""
    found = columns.read_columns(
        release.folder / columns.FILE, release.vectors, release.manifest.filterable
    )
    if len(found) != release.manifest.n_items:
        raise ReleaseRefused(
            "catalogue",
            f"{columns.FILE} has {len(found)} items, the manifest says "
            f"{release.manifest.n_items}: publish the release again",
        )
    release.catalogue, release.stock = LiveCatalogue(found), StockColumn(found.in_stock)
    return f"{len(found)} items in {len(found.category_names)} categories"


def check_towers(release: Loading) -> str:
    """Inputs and outputs of both towers, opened by onnxruntime."""
    facts = release.manifest
    fit = TowerFit(
        dim=facts.dim,
        history_length=facts.history_length,
        actions=facts.actions,
        category_names=tuple(release.catalogue.category_names),
        user_feature_names=facts.inputs.user_features,
        n_items=facts.n_items,
    )
    release.tower = OnnxUserTower(release.read(USER_TOWER), fit)
    _check_inputs(USER_TOWER, release.tower.input_names, facts.inputs.user_tower)
    if ITEM_TOWER not in facts.files:
        return "user tower"
    item_tower = release.item_tower = load_item_tower(release.read(ITEM_TOWER), facts.dim)
    names = tuple(slot.name for slot in item_tower.inputs)
    _check_inputs(ITEM_TOWER, names, facts.inputs.item_tower)
    return "user tower and item tower"


def check_links(release: Loading) -> str:
    """The file read by ourselves first: hnswlib crashes on links that lead nowhere."""
    facts = release.manifest
    try:
        found = read_index_file(release.folder / INDEX)
    except IndexFileInvalid as error:
        raise _index_refused(str(error)) from error
    header = found.header
    if (header.count, header.dim) != (facts.n_items, facts.dim):
        raise _index_refused(
            f"holds {header.count} vectors of {header.dim} dimensions, the manifest says "
            f"{facts.n_items} of {facts.dim}"
        )
    if header.m != facts.index.M:
        raise _index_refused(f"has M {header.m}, the manifest says {facts.index.M}")
    if not _holds(found, release.vectors):
        raise _index_refused(f"holds other vectors than {vectors.FILE}")
    return f"M {header.m}, same vectors in the same rows"


def check_index(release: Loading) -> str:
    """The graph, opened by hnswlib."""
    facts = release.manifest
    try:
        graph = HnswIndex.load(release.folder / INDEX, facts.dim, facts.index.ef_search)
    except Unavailable as error:
        raise _index_refused(f"cannot be loaded ({error})") from error
    release.index = graph
    return f"{len(graph)} items, ef {facts.index.ef_search}"


def check_lists(release: Loading) -> str:
    """The lists to fall back on, and a baseline that can be read."""
    release.ladder = ladders.read_ladder(release.read(ladders.FILE), release.catalogue)
    try:
        json.loads(release.read(BASELINE))
    except (ValueError, RecursionError) as error:
        raise ReleaseRefused(
            "manifest", f"{BASELINE} is not readable JSON: publish the release again"
        ) from error
    return f"{len(release.ladder.popular)} scopes popular, {len(release.ladder.trending)} trending"


def check_probes(release: Loading) -> str:
    """Golden probes: known questions with known answers."""
    facts = release.manifest
    asked = probes.read_probes(release.read(probes.FILE), facts.dim, facts.n_items)
    release.probes = asked
    cosine = probes.check_vectors(asked, release.tower, release.catalogue)
    nearest = probes.check_neighbours(asked, release.exact)
    recall = probes.check_recall(asked, nearest, release.index, facts.index.recall_floor)
    parts = release.index, facts.index.ef_search, release.vectors
    release.router = Router(*parts, release.catalogue, release.stock)
    release.router.calibrate(asked.vectors, facts.index.recall_floor)
    release.lists = nearest[asked.has_history, : exposure.LIST_LENGTH]
    return f"{len(asked)} probes, cosine >= {cosine:.6f}, recall at 100 {recall:.4f}"


def check_hubs(release: Loading) -> str:
    """No item in everybody's list that hardly anybody wants."""
    share = exposure.check_hubs(release.lists, release.catalogue.popularity)
    return f"the most frequent item is in {share:.0%} of {len(release.lists)} lists"


def warm_up(release: Loading) -> str:
    """Answer as in a request, for somebody unknown, until everything is in memory."""
    try:
        for _ in range(WARM_UP_ROUNDS):
            vector = release.tower.embed(Session(), release.catalogue, time.time())
            release.router.search(vector, probes.DEPTH)
    except Unavailable as error:
        raise ReleaseRefused(
            "golden",
            f"{USER_TOWER} has no answer to an empty history ({error}): train or export again",
        ) from error
    return f"{WARM_UP_ROUNDS} answers for an empty history"


def check_handshake(release: Loading) -> str:
    """One version in all parts, as it is asked again while serving; and the files as they were."""
    files.check_unchanged(release.folder, release.manifest, release.identities)
    mismatch = handshake(release.release())
    if mismatch is not None:
        raise ReleaseRefused("version", f"{mismatch}: publish the release again")
    return "tower, index, vectors and catalogue agree, no file changed meanwhile"


def _holds(found: IndexFile, wanted: Vectors) -> bool:
    blocks = (slice(at, at + BLOCK_ROWS) for at in range(0, len(wanted), BLOCK_ROWS))
    return all(np.array_equal(found.vectors[b], wanted[found.labels[b]]) for b in blocks)


def _check_inputs(file: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    if set(found) != set(wanted):
        raise ReleaseRefused(
            "tower",
            f"{file} has the inputs {', '.join(found)}, the manifest says {', '.join(wanted)}: "
            "publish the release again",
        )


def _index_refused(what: str) -> ReleaseRefused:
    return ReleaseRefused("index", f"{INDEX} {what}: build the index again")

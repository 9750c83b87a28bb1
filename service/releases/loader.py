"""Turns a release folder into a loaded release, or says in one sentence why not."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from service.catalogue import columns
from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.catalogue.updates import LiveUpdates
from service.domain.actions import ACTIONS
from service.domain.arrays import Vectors
from service.domain.ladders import Ladder
from service.domain.sessions import Session
from service.errors import ReleaseRefused, Unavailable
from service.indexes.arrivals import GrowingRouter
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.indexes.hnsw_file import IndexFileInvalid, read_index_file
from service.indexes.router import Router
from service.ports.serving import Release
from service.releases import files, ladders, manifest, probes, vectors
from service.towers.arrivals import ArrivalVectors
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxTower, OnnxUserTower, load_item_tower

USER_TOWER = "user_tower.onnx"
ITEM_TOWER = "item_tower.onnx"
INDEX = "items.hnsw"
BASELINE = "baseline.json"
WARM_UP_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a release: what was looked at, and what was found.

    Attributes:
        reason: code of the refusal, empty when passed.
    """

    name: str
    passed: bool
    detail: str
    duration_s: float
    reason: str = ""


class Loading:
    """A release on its way from folder to memory; each check adds what later ones need."""

    manifest: manifest.Manifest
    vectors: Vectors
    catalogue: LiveCatalogue
    tower: OnnxUserTower
    item_tower: OnnxTower | None = None
    index: HnswIndex
    exact: ExactIndex
    router: Router
    stock: StockColumn
    ladder: Ladder

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check_manifest(self) -> str:
        files.check_folder(self.folder)
        self.manifest = manifest.read_manifest(self.folder / manifest.FILE)
        if self.manifest.release != self.folder.name:
            raise ReleaseRefused(
                "name",
                f"{manifest.FILE} is of the release {self.manifest.release}, the folder is named "
                f"{self.folder.name}: give the folder its name back",
            )
        return f"{self.manifest.release}, embedding version {self.manifest.embedding_version}"

    def check_complete(self) -> str:
        files.check_complete(self.folder, self.manifest)
        return f"{len(self.manifest.files)} files"

    def check_bytes(self) -> str:
        files.check_bytes(self.folder, self.manifest)
        total = sum(facts.bytes for facts in self.manifest.files.values())
        return f"{total / 1e6:.1f} MB, lengths and SHA-256 as published"

    def check_vectors(self) -> str:
        self.vectors = vectors.map_vectors(self.folder / vectors.FILE, self.manifest)
        self.exact = ExactIndex(self.vectors)
        return f"{self.manifest.n_items} x {self.manifest.dim}, finite, unit length"

    def check_catalogue(self) -> str:
        read = columns.read_columns(
            self.folder / columns.FILE, self.vectors, self.manifest.filterable
        )
        self.catalogue, self.stock = LiveCatalogue(read), StockColumn(read.in_stock)
        if len(self.catalogue) != self.manifest.n_items:
            raise ReleaseRefused(
                "catalogue",
                f"{columns.FILE} has {len(self.catalogue)} items, the manifest says "
                f"{self.manifest.n_items}: publish the release again",
            )
        return f"{len(self.catalogue)} items in {len(self.catalogue.category_names)} categories"

    def check_towers(self) -> str:
        facts = self.manifest
        fit = TowerFit(
            dim=facts.dim,
            history_length=facts.history_length,
            actions=_known_actions(facts.actions),
            category_names=tuple(self.catalogue.category_names),
            user_feature_names=facts.inputs.user_features,
            n_items=facts.n_items,
        )
        self.tower = OnnxUserTower(self._read(USER_TOWER), fit)
        _check_version(USER_TOWER, self.tower.embedding_version, facts.embedding_version)
        _check_inputs(USER_TOWER, self.tower.input_names, facts.inputs.user_tower)
        if ITEM_TOWER not in facts.files:
            return "user tower"
        item_tower = self.item_tower = load_item_tower(self._read(ITEM_TOWER), facts.dim)
        names = tuple(slot.name for slot in item_tower.inputs)
        _check_version(ITEM_TOWER, item_tower.embedding_version, facts.embedding_version)
        _check_inputs(ITEM_TOWER, names, facts.inputs.item_tower)
        return "user tower and item tower"

    def check_index(self) -> str:
        facts, path = self.manifest, self.folder / INDEX
        try:
            found = read_index_file(path)
        except IndexFileInvalid as error:
            raise _index_refused(str(error)) from error
        if (found.header.count, found.header.dim) != (facts.n_items, facts.dim):
            raise _index_refused(
                f"holds {found.header.count} vectors of {found.header.dim} dimensions, the "
                f"manifest says {facts.n_items} of {facts.dim}"
            )
        if not np.array_equal(found.vectors, self.vectors[found.labels]):
            raise _index_refused("holds other vectors than item_vectors.npy")
        try:
            self.index = HnswIndex.load(path, facts.dim, facts.index.ef_search)
        except Unavailable as error:
            raise _index_refused(f"cannot be loaded ({error})") from error
        return f"M {found.header.m}, ef {facts.index.ef_search}, same vectors in the same rows"

    def check_lists(self) -> str:
        self.ladder = ladders.read_ladder(self._read(ladders.FILE), self.catalogue)
        try:
            json.loads(self._read(BASELINE))
        except ValueError as error:
            raise ReleaseRefused(
                "manifest", f"{BASELINE} is not readable JSON: publish the release again"
            ) from error
        return f"{len(self.ladder.popular)} scopes popular, {len(self.ladder.trending)} trending"

    def check_probes(self) -> str:
        facts = self.manifest
        asked = probes.read_probes(self._read(probes.FILE), facts.dim, facts.n_items)
        cosine = probes.check_vectors(asked, self.tower, self.catalogue)
        _, recall = probes.check_neighbours(asked, self.index, self.exact, facts.index.recall_floor)
        self.router = Router(
            *(self.index, facts.index.ef_search, self.vectors), self.catalogue, self.stock
        )
        self.router.calibrate(asked.vectors, facts.index.recall_floor)
        return f"{len(asked)} probes, cosine >= {cosine:.6f}, recall at 100 {recall:.4f}"

    def warm_up(self) -> str:
        """Answer as in a request, for somebody unknown, until everything is in memory."""
        try:
            for _ in range(WARM_UP_ROUNDS):
                vector = self.tower.embed(Session(), self.catalogue, time.time())
                self.index.search(vector, probes.DEPTH)
                self.router.search(vector, probes.DEPTH)
        except Unavailable as error:
            raise ReleaseRefused(
                "golden", f"the empty history cannot be answered ({error}): train or export again"
            ) from error
        return f"{WARM_UP_ROUNDS} answers for an empty history"

    def release(self) -> Release:
        facts = self.manifest
        built_at_s = datetime.fromisoformat(facts.created_at).timestamp()
        vectors = ArrivalVectors(facts.embedding_version, facts.dim, self.item_tower)
        return Release(
            name=facts.release,
            embedding_version=facts.embedding_version,
            dim=facts.dim,
            history_length=facts.history_length,
            again_weight=facts.again.weight,
            has_repeats=facts.again.has_repeats,
            tower=self.tower,
            index=self.index,
            exact=self.exact,
            router=GrowingRouter(self.router, self.catalogue, self.stock),
            catalogue=self.catalogue,
            stock=self.stock,
            updates=LiveUpdates(self.catalogue, self.stock, built_at_s, vectors),
            ladder=self.ladder,
            manifest=MappingProxyType(asdict(facts)),
        )

    def _read(self, name: str) -> bytes:
        return files.read_checked(self.folder, name, self.manifest)


CHECKS: tuple[tuple[str, Callable[[Loading], str]], ...] = (
    ("manifest", Loading.check_manifest),
    ("complete", Loading.check_complete),
    ("checksums", Loading.check_bytes),
    ("vectors", Loading.check_vectors),
    ("catalogue", Loading.check_catalogue),
    ("towers", Loading.check_towers),
    ("index", Loading.check_index),
    ("lists", Loading.check_lists),
    ("probes", Loading.check_probes),
    ("warm-up", Loading.warm_up),
)
"""In this order: nothing is opened before its bytes are proved, nothing is asked before it fits."""


def load_release(folder: Path) -> Release:
    """Check and load a release.

    Raises:
        ReleaseRefused: with a reason code, and one sentence that names the file and the fix.
    """
    loading = Loading(folder)
    for _, check in CHECKS:
        check(loading)
    return loading.release()


def verify(folder: Path) -> list[CheckResult]:
    """Run the same checks and report each; what follows a failure is not run."""
    loading = Loading(folder)
    results = []
    for name, check in CHECKS:
        began_s = time.perf_counter()
        try:
            detail, reason = check(loading), ""
        except ReleaseRefused as error:
            detail, reason = str(error), error.reason
        duration_s = time.perf_counter() - began_s
        results.append(CheckResult(name, not reason, detail, duration_s, reason))
        if reason:
            break
    return results


def _known_actions(actions: tuple[str, ...]) -> tuple[str, ...]:
    if not set(actions) & set(ACTIONS):
        raise ReleaseRefused(
            "manifest", f"{manifest.FILE}: actions has none of {', '.join(ACTIONS)}: name some"
        )
    return actions


def _check_version(file: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise ReleaseRefused(
            "version",
            f"{file} has the embedding version {found or 'none'}, the manifest says {wanted}: "
            "publish tower and index of one training together",
        )


def _check_inputs(file: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    if set(found) != set(wanted):
        raise ReleaseRefused(
            "tower",
            f"{file} has the inputs {', '.join(found)}, the manifest says {', '.join(wanted)}: "
            "publish the release again",
        )


def _index_refused(what: str) -> ReleaseRefused:
    return ReleaseRefused("index", f"{INDEX} {what}: build the index again")

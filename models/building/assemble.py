"""Joins items, vectors and a user tower into a draft: final row order, index, probes, baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from models.build_index import N_PROBES, RECALL_FLOOR, Build, BuiltIndex, build_index
from models.building.baseline import histograms
from models.building.draft import Draft, ItemColumns, norms_of
from models.building.row_order import row_order
from models.building.skew import Answered, skew
from service.catalogue.columns import distinct
from service.domain.actions import ACTIONS
from service.domain.arrays import Hashes, Rows, Times, Vectors
from service.domain.items import item_hash
from service.domain.ladders import Ladder
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.ports.serving import Release
from service.releases.exposure import LIST_LENGTH, exposure
from service.releases.manifest import Again, Exposure, Manifest, TowerInputs
from service.releases.probes import DEPTH, Probes, has_history
from service.towers.features import History, Inputs, history_inputs, item_vectors
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxUserTower, load_item_tower


@dataclass(frozen=True, slots=True)
class States:
    """What real people had done at some moment: the questions a release is proved with.

    Attributes:
        histories: rows are positions in the items as given, not yet in catalogue order.
        now_s: epoch seconds of each moment, float64 [q].
        expected: what the trained tower answers, float32 [q, dim]; None leaves it to the
            exported one.
    """

    histories: Sequence[History]
    now_s: Times
    expected: Vectors | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the manifest says that cannot be computed from the parts; names as in `Manifest`."""

    release: str
    embedding_version: str
    trained_through_s: float
    as_of_s: float
    created_at_s: float
    history_length: int
    again: Again
    parent: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    recall_floor: float = RECALL_FLOOR


@dataclass(frozen=True, slots=True)
class Content:
    """The parts of a release in the order in which the data list the items.

    Attributes:
        ladder: rows are positions in `items` as given.
    """

    items: ItemColumns
    vectors: Vectors
    user_tower: bytes
    ladder: Ladder
    states: States
    item_tower: bytes | None = None


def assemble(
    content: Content, facts: Facts, old: Release | None = None, build: Build = HnswIndex.build
) -> Draft:
    """Put everything into catalogue row order, build the index, ask the questions.

    Args:
        content: the parts.
        facts: what the manifest says besides.
        old: the release that is live so far, to say in the manifest how bad a mix would be.
        build: makes the graph; see `models.build_index.build_index`.

    Raises:
        PublishInvalid: the index misses its recall floor.
        ReleaseRefused: a tower that the service would not take.
    """
    content = _in_row_order(content)
    vectors = content.vectors
    tower = _tower(content, facts)
    inputs = history_inputs(content.states.histories, content.states.now_s, facts.history_length)
    answers = _ask(tower, inputs, vectors)
    index = build_index(vectors, answers, facts.recall_floor, build=build)
    exact = ExactIndex(vectors)
    lists = exact.search_all(answers[has_history(inputs)], LIST_LENGTH)
    answered = Answered(content.items.ids, vectors, content.states, answers)
    manifest = replace(
        _manifest(content, facts, tower, index),
        exposure=exposure(lists, len(vectors)),
        skew={} if old is None else skew(old, answered),
    )
    return Draft(
        manifest=manifest,
        items=content.items,
        vectors=vectors,
        user_tower=content.user_tower,
        item_tower=content.item_tower,
        index=index,
        ladder=content.ladder,
        probes=_probes(content, tower, inputs, answers, exact),
        baseline={
            "metrics": facts.metrics,
            "histograms": histograms(content.states, answers, exact, content.items.popularity),
        },
    )


def _in_row_order(content: Content) -> Content:
    order = row_order(content.vectors, content.items.categories)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    histories = [replace(h, rows=place[h.rows]) for h in content.states.histories]
    return replace(
        content,
        items=content.items.take(order),
        vectors=np.ascontiguousarray(content.vectors[order]),
        ladder=Ladder(
            {scope: place[rows] for scope, rows in content.ladder.popular.items()},
            {scope: place[rows] for scope, rows in content.ladder.trending.items()},
        ),
        states=replace(content.states, histories=histories),
    )


def _tower(content: Content, facts: Facts) -> OnnxUserTower:
    fit = TowerFit(
        dim=content.vectors.shape[1],
        history_length=facts.history_length,
        category_names=distinct(content.items.categories),
    )
    return OnnxUserTower(content.user_tower, fit)


def _ask(tower: OnnxUserTower, inputs: Inputs, vectors: Vectors) -> Vectors:
    everything = {**inputs, "item_vectors": item_vectors(inputs["item_rows"], vectors)}
    return tower.run({name: everything[name] for name in tower.input_names})


def _probes(
    content: Content, tower: OnnxUserTower, inputs: Inputs, answers: Vectors, exact: ExactIndex
) -> Probes:
    kept = {"item_rows", *tower.input_names} - {"item_vectors"}
    asked = {name: inputs[name][:N_PROBES] for name in sorted(kept)}
    expected = content.states.expected
    vectors = (answers if expected is None else expected)[:N_PROBES]
    return Probes(
        inputs=asked,
        hashes=_hashes(asked["item_rows"], content.items.ids),
        vectors=vectors,
        rows=np.array([exact.search(vector, DEPTH)[0] for vector in vectors]),
    )


def _hashes(item_rows: Rows, ids: Sequence[str]) -> Hashes:
    table = np.array([0, *(item_hash(item_id) for item_id in ids)], dtype=np.uint64)
    hashes: Hashes = table[item_rows]
    return hashes


def _manifest(content: Content, facts: Facts, tower: OnnxUserTower, index: BuiltIndex) -> Manifest:
    item_inputs: tuple[str, ...] = ()
    if content.item_tower is not None:
        item_tower = load_item_tower(content.item_tower, content.vectors.shape[1])
        item_inputs = tuple(slot.name for slot in item_tower.inputs)
    return Manifest(
        release=facts.release,
        created_at=_instant(facts.created_at_s),
        trained_through=_instant(facts.trained_through_s),
        as_of=_instant(facts.as_of_s),
        embedding_version=facts.embedding_version,
        parent=facts.parent,
        dim=content.vectors.shape[1],
        n_items=len(content.items),
        history_length=facts.history_length,
        norms=norms_of(content.vectors),
        actions=ACTIONS,
        inputs=TowerInputs(tower.input_names, item_inputs),
        again=facts.again,
        index=index.facts,
        exposure=Exposure(0, 0.0, 0.0),
        data=facts.data,
        metrics=facts.metrics,
        filterable=content.items.filterable,
    )


def _instant(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")

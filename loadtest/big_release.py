"""`python -m loadtest.big_release`: two large releases of one shop in two vector spaces.

B's space is A's turned by an orthogonal matrix: the same items are near each other, so that both
releases share one graph, but a tower of one over an index of the other finds noise. Each blocks
other items. So what a release answers is known, and an answer of a mixture is recognised.

The only module of the load tests that knows service and models: it writes their formats.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import hnswlib
import numpy as np
import onnx
import pyarrow as pa
from onnx import helper, numpy_helper

from loadtest.big_shop import BUILT_AT_S, COUNTRIES, Floats, Ints, Shop, Truths, make_shop, unit
from models.building.assemble import Content, Facts, States, assemble
from models.building.draft import Draft, ItemColumns, norms_of
from models.building.mean_tower import mean_tower
from models.building.store import publish
from service.domain.actions import ACTIONS
from service.domain.arrays import Rows, Vectors
from service.domain.ladders import ALL, Ladder, category_scope, country_scope
from service.indexes.hnsw import SPACE, HnswIndex
from service.indexes.hnsw_file import read_index_file
from service.releases.manifest import Again
from service.towers.features import History

NAMES = ("20260101-000000-a", "20260101-000000-b")
BLOCKED_A_RELEASE = 20
"""One item in twenty is blocked in A, and another one in twenty in B."""
HISTORY_LENGTH, SPACING_S = 20, 3600.0
LADDER_LENGTH = 200
THREADS = 2
STARTED_S = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a pair is made of; the same recipe gives the same shop."""

    n_items: int
    dim: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.n_items}x{self.dim}-seed{self.seed}"

    def graph(self, folder: Path, m: int) -> Path:
        """Where the graph of release A is kept."""
        return folder / f"items-{self.name}-m{m}.hnsw"


@dataclass(frozen=True, slots=True)
class ItemsWithCountry(ItemColumns):
    """Items that also say where they are sold from: a column beyond those that are needed."""

    countries: Sequence[str] = ()

    def take(self, order: Rows) -> "ItemsWithCountry":
        taken = ItemColumns.take(self, order)
        kept = {name: getattr(taken, name) for name in ItemColumns.__slots__}
        return ItemsWithCountry(**kept, countries=[self.countries[i] for i in order])

    def table(self) -> pa.Table:
        return ItemColumns.table(self).append_column("country", pa.array(self.countries))


def pair(folder: Path, recipe: Recipe) -> Path:
    """Make those of both releases that are not there yet; gives their store.

    The graph is kept beside the store and taken from there when releases are made anew.
    """
    store = folder / recipe.name
    missing = [name for name in NAMES if not (store / name).exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        a = first(make_shop(recipe.n_items, recipe.dim, recipe.seed), recipe, folder)
        _say(f"drafted, recall {a.manifest.index.recall} at ef {a.manifest.index.ef_search}")
        drafts = {NAMES[0]: lambda: a, NAMES[1]: lambda: turned(a, recipe, folder)}
        for name in missing:
            publish(drafts[name](), store)
            _say(f"published {name}")
    return store


def first(shop: Shop, recipe: Recipe, folder: Path) -> Draft:
    """Release A as a draft; its graph is built only if it is not kept in the folder."""
    prior = unit((shop.popularity @ shop.vectors)[None, :])[0]
    version = f"big-{recipe.name}-a"
    content = Content(
        items=columns(shop),
        vectors=shop.vectors,
        user_tower=mean_tower(recipe.dim, HISTORY_LENGTH, prior, version),
        ladder=ladder(shop),
        states=States(
            [_history(items) for items in shop.people], np.full(len(shop.people), BUILT_AT_S)
        ),
    )
    facts = Facts(
        release=NAMES[0],
        embedding_version=version,
        trained_through_s=BUILT_AT_S,
        as_of_s=BUILT_AT_S,
        created_at_s=BUILT_AT_S,
        history_length=HISTORY_LENGTH,
        again=Again(weight=0.0, has_repeats=False),
        data={"name": f"generated, {recipe.name}", "action_types_unseen": []},
    )
    draft = assemble(content, facts, build=partial(graph, folder, recipe))
    return replace(draft, items=blocked(draft.items, 0))


def turned(a: Draft, recipe: Recipe, folder: Path) -> Draft:
    """The same release in the turned space: vectors, graph, tower and probes, all by one matrix."""
    turn, facts = orthogonal(recipe), a.manifest
    version = f"big-{recipe.name}-b"
    vectors = unit(a.vectors @ turn)
    file = folder / f".turned-{recipe.name}.hnsw"
    turn_index(recipe.graph(folder, facts.index.M), file, vectors)
    graph = HnswIndex.load(file, recipe.dim, facts.index.ef_search)
    file.unlink()
    return replace(
        a,
        manifest=replace(
            facts, release=NAMES[1], embedding_version=version, norms=norms_of(vectors)
        ),
        items=blocked(a.items, 1),
        vectors=vectors,
        user_tower=turn_tower(a.user_tower, turn, version),
        index=replace(a.index, index=graph),
        probes=replace(a.probes, vectors=unit(a.probes.vectors @ turn)),
    )


def turn_index(source: Path, target: Path, vectors: Vectors) -> None:
    """Copy an index file with other vectors in the same places; distances must be the same."""
    found = read_index_file(source)
    shutil.copyfile(source, target)
    header = found.header
    records = np.memmap(target, np.uint8, "r+", 96, (header.count, header.record_bytes))
    part = slice(header.vector_offset, header.label_offset)
    for start in range(0, header.count, 65_536):
        rows = found.labels[start : start + 65_536]
        records[start : start + len(rows), part] = vectors[rows].view(np.uint8)
    records.flush()


def turn_tower(content: bytes, turn: Floats, version: str) -> bytes:
    """The mean tower of a turned space: only its answer to an empty history has a direction."""
    model = onnx.load_from_string(content)
    for constant in model.graph.initializer:
        if constant.name == "prior":
            prior = numpy_helper.to_array(constant) @ turn
            constant.CopyFrom(numpy_helper.from_array(prior.astype(np.float32), "prior"))
    helper.set_model_props(model, {"embedding_version": version})
    turned_content: bytes = model.SerializeToString()
    return turned_content


def orthogonal(recipe: Recipe) -> Floats:
    """A random turn of the whole space, float32 [dim, dim]."""
    square = np.random.default_rng(recipe.seed + 1).normal(size=(recipe.dim, recipe.dim))
    return np.linalg.qr(square)[0].astype(np.float32)


def graph(folder: Path, recipe: Recipe, vectors: Vectors, *settings: int) -> HnswIndex:
    """The graph of release A from its file, built on two threads where it is not there."""
    m, ef_construction, ef = settings
    file = recipe.graph(folder, m)
    if not (file.exists() and holds(file, vectors)):
        _say(f"building the graph of {len(vectors)} items on {THREADS} threads")
        built = hnswlib.Index(space=SPACE, dim=recipe.dim)
        built.init_index(len(vectors), M=m, ef_construction=ef_construction, random_seed=1)
        built.add_items(vectors, np.arange(len(vectors)), num_threads=THREADS)
        partial_file = file.with_suffix(".partial")
        built.save_index(str(partial_file))
        partial_file.rename(file)
    return HnswIndex.load(file, recipe.dim, ef)


def holds(file: Path, vectors: Vectors) -> bool:
    """Whether a kept graph is one of these vectors in this row order."""
    found = read_index_file(file)
    return bool(np.array_equal(found.vectors, vectors[found.labels]))


def columns(shop: Shop) -> ItemsWithCountry:
    """The shop's items by name."""
    numbers = range(len(shop.vectors))
    return ItemsWithCountry(
        ids=[f"item-{n}" for n in numbers],
        titles=[f"style {style} number {n}" for n, style in enumerate(shop.styles)],
        categories=_names("category", shop.categories, 3),
        sellers=_names("seller", shop.sellers, 5),
        prices=shop.prices,
        popularity=shop.popularity,
        first_seen_s=shop.first_seen_s,
        is_new=shop.is_new,
        in_stock=shop.in_stock,
        countries=[tuple(COUNTRIES)[code] for code in shop.countries],
    )


def blocked(items: ItemColumns, number: int) -> ItemColumns:
    """The items of one release: every twentieth is blocked, other ones in each."""
    numbers = np.array([int(item_id.removeprefix("item-")) for item_id in items.ids])
    return replace(items, is_blocked=numbers % BLOCKED_A_RELEASE == number)


def ladder(shop: Shop) -> Ladder:
    """What is popular everywhere, in each category and in each country; trending is the same."""
    best = np.argsort(-shop.popularity, kind="stable")
    lists = {ALL: best[:LADDER_LENGTH]}
    for code in np.unique(shop.categories):
        lists[category_scope(f"category-{code:03}")] = _top(best, shop.categories == code)
    for code, name in enumerate(COUNTRIES):
        lists[country_scope(name)] = _top(best, shop.countries == code)
    return Ladder(lists, lists)


def _top(best: Ints, mask: Truths) -> Ints:
    return best[mask[best]][:LADDER_LENGTH]


def _names(word: str, codes: Ints, width: int) -> list[str]:
    names = [f"{word}-{code:0{width}}" for code in range(int(codes.max()) + 1)]
    return [names[code] for code in codes]


def _history(items: Ints) -> History:
    """One view an hour, the last one an hour ago."""
    at_s = BUILT_AT_S - SPACING_S * np.arange(len(items), 0, -1, dtype=np.float64)
    return History(items, np.full(len(items), ACTIONS.index("view")), at_s)


def _say(what: str) -> None:
    print(f"{time.perf_counter() - STARTED_S:6.0f} s  {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("var/big"))
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    print(pair(args.out, Recipe(args.items, args.dim, args.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

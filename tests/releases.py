"""Real, tiny releases for tests: real ONNX, real HNSW, published as in production, no torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.building.assemble import Content, Facts, States, assemble
from models.building.draft import Draft, ItemColumns
from models.building.mean_tower import mean_tower
from models.building.store import publish
from service.domain.actions import ACTIONS
from service.domain.arrays import Rows, Vectors
from service.domain.ladders import ALL, Ladder, category_scope, country_scope
from service.releases.manifest import Again
from service.towers.features import History
from tests.towers import category_tower

CATEGORIES = ("books", "garden", "kitchen", "toys")
N_SELLERS = 9
COUNTRIES = ("France", "Germany")
BUILT_AT_S = 1_700_000_000.0
"""2023-11-14: the moment at which test releases were made; serve them at this time or later."""

DAY_S = 86_400.0
N_STATES = 80
LADDER_LENGTH = 200


@dataclass(frozen=True)
class Shop:
    """What a test release is made of; change it with `dataclasses.replace` before drafting."""

    items: ItemColumns
    vectors: Vectors
    ladder: Ladder
    states: States


def make_release(
    store: Path,
    *,
    n_items: int = 300,
    dim: int = 16,
    seed: int = 1,
    name: str = "20231114-000000",
    has_repeats: bool = True,
) -> Path:
    """Publish a release into `store` and make it current; returns its folder.

    Items are `item-0` ...; each belongs to one of `CATEGORIES`, whose vectors lie together, and
    to one of nine sellers `seller-0` ... (every tenth item has none). `item-0` is the most
    popular one, the last five items have never been seen. The item tower puts an item where
    those of its category are.
    """
    draft = make_draft(make_shop(n_items, dim, seed), seed=seed, name=name, has_repeats=has_repeats)
    return publish(draft, store, force="a test release").folder


def make_shop(n_items: int = 300, dim: int = 16, seed: int = 1) -> Shop:
    rng = np.random.default_rng(seed)
    category = rng.integers(0, len(CATEGORIES), n_items)
    centres = 1.5 * _unit(rng.normal(size=(len(CATEGORIES), dim)))
    vectors = _unit(centres[category] + rng.normal(scale=0.3, size=(n_items, dim)))
    popularity = (1.0 / np.arange(1, n_items + 1)).astype(np.float32)
    popularity[n_items - unseen(n_items) :] = 0.0
    is_new = popularity == 0.0
    first_seen_s = np.where(is_new, np.nan, BUILT_AT_S - rng.uniform(1, 300, n_items) * DAY_S)
    items = ItemColumns(
        ids=[f"item-{i}" for i in range(n_items)],
        titles=[f"{CATEGORIES[c]} number {i}" for i, c in enumerate(category)],
        categories=[CATEGORIES[c] for c in category],
        sellers=["" if i % 10 == 9 else f"seller-{i % N_SELLERS}" for i in range(n_items)],
        prices=rng.uniform(1, 50, n_items).round(2).astype(np.float32),
        popularity=popularity / popularity.sum(),
        first_seen_s=first_seen_s,
        is_new=is_new,
    )
    ladder = _ladder(category, n_items, rng)
    return Shop(items, vectors, ladder, _states(n_items, category, rng))


def unseen(n_items: int) -> int:
    """How many of the items, the last ones, nobody has ever seen."""
    return min(5, n_items // 2)


def make_draft(
    shop: Shop,
    *,
    seed: int = 1,
    name: str = "20231114-000000",
    version: str | None = None,
    has_repeats: bool = True,
    history_length: int = 20,
) -> Draft:
    """The release before it is published."""
    version = version or f"test-{seed}"
    dim = shop.vectors.shape[1]
    prior = _unit(shop.vectors[:20].mean(axis=0, keepdims=True))[0]
    tower = mean_tower(dim, history_length, prior, version)
    facts = Facts(
        release=name,
        embedding_version=version,
        trained_through_s=BUILT_AT_S,
        as_of_s=BUILT_AT_S,
        created_at_s=BUILT_AT_S,
        history_length=history_length,
        again=Again(weight=0.5, has_repeats=has_repeats),
        data={"name": "tests", "action_types_unseen": []},
    )
    item_tower = _item_tower(shop, version)
    content = Content(shop.items, shop.vectors, tower, shop.ladder, shop.states, item_tower)
    return assemble(content, facts)


def _item_tower(shop: Shop, version: str) -> bytes:
    names = np.array(shop.items.categories)
    known = sorted(set(shop.items.categories))
    centres = [shop.vectors[names == name].mean(axis=0) for name in known]
    return category_tower(known, np.array(centres), version)


def _states(n_items: int, category: Rows, rng: np.random.Generator) -> States:
    histories = [History()]
    for _ in range(N_STATES - 1):
        n = int(rng.integers(1, 30))
        favourite = np.flatnonzero(category == rng.integers(0, len(CATEGORIES)))
        rows = rng.choice(favourite, n) if len(favourite) else rng.integers(0, n_items, n)
        at_s = np.sort(BUILT_AT_S - rng.uniform(60, 60 * DAY_S, n))
        histories.append(History(rows, rng.integers(0, len(ACTIONS), n), at_s))
    return States(histories, np.full(N_STATES, BUILT_AT_S))


def _ladder(category: Rows, n_items: int, rng: np.random.Generator) -> Ladder:
    popular = np.arange(n_items - unseen(n_items))
    trending = rng.permutation(popular)
    scopes = {ALL: np.ones(n_items, dtype=bool)}
    scopes |= {category_scope(name): category == i for i, name in enumerate(CATEGORIES)}
    scopes |= {country_scope(name): rng.random(n_items) < 0.5 for name in COUNTRIES}
    return Ladder(
        {scope: popular[mask[popular]][:LADDER_LENGTH] for scope, mask in scopes.items()},
        {scope: trending[mask[trending]][:LADDER_LENGTH] for scope, mask in scopes.items()},
    )


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / lengths, dtype=np.float32)

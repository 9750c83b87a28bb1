"""The generated pair: the service takes both, both answer alike, and a mixture is noise."""

from pathlib import Path

import numpy as np
import pytest

from loadtest.big_release import NAMES, Recipe, pair
from loadtest.big_shop import N_CATEGORIES, make_shop
from loadtest.expected import blocked
from service.domain.arrays import Rows
from service.domain.sessions import Session
from service.ports.serving import Release
from service.releases.loader import load_release

RECIPE = Recipe(n_items=3000, dim=16, seed=3)
NOW_S = 1_767_300_000.0
N = 50


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pair(tmp_path_factory.mktemp("big"), RECIPE)


@pytest.fixture(scope="module")
def releases(store: Path) -> tuple[Release, Release]:
    a, b = (load_release(store / name) for name in NAMES)
    return a, b


def someone(release: Release) -> Session:
    """Ten views of items that lie together."""
    rows = release.catalogue.rows_of(["item-5"])[0] // 2 + np.arange(10)
    ids = tuple(release.catalogue.item_ids[row] for row in rows)
    return Session(item_ids=ids, action_types=np.ones(10, dtype=np.int64), at_s=NOW_S + rows)


def nearest(tower: Release, index: Release) -> set[int]:
    rows: Rows = index.index.search(tower.tower.embed(someone(tower), tower.catalogue, NOW_S), N)[0]
    return set(rows.tolist())


def test_both_releases_find_the_same_items(releases: tuple[Release, Release]) -> None:
    a, b = releases
    assert a.embedding_version != b.embedding_version
    assert len(nearest(a, a) & nearest(b, b)) >= N - 1


def test_a_tower_of_one_over_an_index_of_the_other_finds_noise(
    releases: tuple[Release, Release],
) -> None:
    a, b = releases
    assert len(nearest(a, b) & nearest(a, a)) < N // 2
    assert len(nearest(b, a) & nearest(a, a)) < N // 2


def test_each_release_blocks_items_that_the_other_shows(store: Path) -> None:
    a, b = (blocked(store / name) for name in NAMES)
    assert not a & b and min(len(a), len(b)) >= RECIPE.n_items // 25


def test_what_is_there_is_not_made_again(store: Path) -> None:
    manifest = store / NAMES[0] / "manifest.json"
    before = manifest.stat().st_mtime_ns
    assert pair(store.parent, RECIPE) == store
    assert manifest.stat().st_mtime_ns == before


def test_the_same_recipe_gives_the_same_shop() -> None:
    first, again = (make_shop(1000, 8, seed=5) for _ in range(2))
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.sellers, again.sellers)
    assert not np.array_equal(first.vectors, make_shop(1000, 8, seed=6).vectors)


def test_facets_are_skewed_as_in_real_shops() -> None:
    shop = make_shop(50_000, 8, seed=1)
    shares = np.sort(np.bincount(shop.categories, minlength=N_CATEGORIES))[::-1] / 50_000
    assert shares[0] > 0.1 and shares[-1] < 0.002
    assert np.bincount(shop.countries).max() / 50_000 == pytest.approx(0.5, abs=0.02)

"""Whom the lists show: the figures, and the item that is in everybody's list for no reason."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.building.store import publish
from models.errors import PublishInvalid
from service.domain.arrays import Rows, Scores, Vectors
from service.errors import ReleaseRefused
from service.releases.exposure import check_hubs, exposure
from service.releases.manifest import read_manifest
from tests.releases import Shop, make_draft, make_shop

N_LISTS = 63
"""Golden probes of people with a history."""


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_equal_exposure_has_no_gini_and_one_list_for_all_has_nearly_one() -> None:
    even = np.arange(100).reshape(10, 10)
    assert exposure(even, 100).gini == 0.0
    assert exposure(even, 100).hub_share == pytest.approx(0.1)
    same = np.tile(np.arange(10), (50, 1))
    assert exposure(same, 1000).gini == pytest.approx(0.99)
    assert exposure(same, 1000).hub_share == 1.0
    assert exposure(even[:0], 100).lists == 0


def test_the_manifest_says_how_even_the_lists_are(clean: Path) -> None:
    found = read_manifest(clean / "manifest.json").exposure
    assert found.lists == 79  # all states but somebody unknown
    assert 0.0 < found.gini < 1.0
    assert 0.0 < found.hub_share < 1.0


def crowd(random: np.random.Generator, hub: bool) -> tuple[Rows, Scores, float]:
    """Lists of people in a catalogue of some shape, popularity, and how many see the hub."""
    n, dim = int(random.choice([250, 300, 1000, 3000])), int(random.choice([4, 8, 16, 64]))
    clusters, noise = int(random.choice([1, 4, 30])), float(random.choice([0.5, 1.0, 2.0]))
    common = float(random.choice([0.0, 0.5, 1.0, 2.0, 4.0])) * unit(random.normal(size=(1, dim)))
    cluster = random.integers(0, clusters, n)
    centres = unit(random.normal(size=(clusters, dim)))
    scatter = noise * random.normal(size=(n, dim)) / math.sqrt(dim)
    vectors = unit(common + centres[cluster] + scatter)
    longest = int(random.choice([1, 5, 20]))
    people = []
    for _ in range(N_LISTS):
        own = np.flatnonzero(cluster == random.integers(clusters))
        rows = random.choice(own if len(own) else n, int(random.integers(1, longest + 1)))
        people.append(vectors[rows].mean(axis=0) + 0.05 * vectors.mean(axis=0))
    asked = unit(np.array(people))
    popularity = random.pareto(1.0, n).astype(np.float32)
    row = int(np.argmin(popularity))
    if hub:
        vectors[row] = unit(asked.mean(axis=0, keepdims=True))[0]
    lists = np.argsort(-(asked @ vectors.T), axis=1)[:, :10]
    return lists, popularity, float((lists == row).any(axis=1).mean())


def is_refused(lists: Rows, popularity: Scores) -> bool:
    try:
        check_hubs(lists, popularity)
    except ReleaseRefused as error:
        assert error.reason == "gate_hubs"
        return True
    return False


def test_no_clean_catalogue_is_taken_for_one_with_a_hub() -> None:
    random = np.random.default_rng(11)
    assert not any(is_refused(*crowd(random, hub=False)[:2]) for _ in range(200))


def test_most_items_in_everybodys_list_are_found_out() -> None:
    random = np.random.default_rng(12)
    crowds = [crowd(random, hub=True) for _ in range(200)]
    blatant = [is_refused(*found[:2]) for found in crowds if found[2] > 0.4]
    assert len(blatant) > 30
    assert np.mean(blatant) > 0.5


@pytest.mark.parametrize("n_items", [10, 50, 200])
def test_of_a_small_catalogue_ten_items_are_no_sign(n_items: int) -> None:
    lists = np.tile(np.arange(10), (N_LISTS, 1))
    lists[:, 1:] = np.random.default_rng(1).integers(1, n_items, (N_LISTS, 9))
    assert not is_refused(lists, np.zeros(n_items, dtype=np.float32))


def test_what_everybody_wants_may_be_in_everybodys_list() -> None:
    lists = np.random.default_rng(1).integers(1, 1000, (N_LISTS, 10))
    lists[:, 0] = 0
    popularity = np.ones(1000, dtype=np.float32)
    assert is_refused(lists, popularity)
    popularity[0] = 2.0
    assert not is_refused(lists, popularity)


def shop_with(hub: int | None) -> Shop:
    """A shop whose items have something in common, and perhaps one that has nothing else."""
    shop = make_shop(n_items=600)
    noise = np.random.default_rng(3).normal(size=(600, 16)) / 4.0
    vectors = unit(0.5 * shop.vectors + np.eye(16)[:1] + noise)
    if hub is not None:
        vectors[hub] = unit(vectors.mean(axis=0, keepdims=True))[0]
    return replace(shop, vectors=vectors)


def test_a_release_with_a_hub_is_not_published(tmp_path: Path) -> None:
    publish(make_draft(shop_with(hub=None), name="20230101-000000"), tmp_path)
    draft = make_draft(shop_with(hub=500), name="20230102-000000")
    assert draft.manifest.exposure.hub_share > 0.4
    with pytest.raises(PublishInvalid, match="although few people want it"):
        publish(draft, tmp_path)

"""What is computed when the parts of a release are joined."""

from dataclasses import replace

import numpy as np
import pytest

from models.building.draft import Draft
from models.building.mean_tower import mean_tower
from models.building.skew import Answered, in_words, skew
from models.building.store import publish
from service.releases.loader import load_release
from service.towers.features import history_inputs, item_vectors
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxUserTower
from tests.releases import make_draft, make_shop


@pytest.fixture(scope="module")
def draft() -> Draft:
    return make_draft(make_shop())


def test_items_vectors_and_lists_move_to_catalogue_rows_together(draft: Draft) -> None:
    shop = make_shop()
    for row, item_id in enumerate(draft.items.ids):
        was = shop.items.ids.index(item_id)
        assert np.array_equal(draft.vectors[row], shop.vectors[was])
        assert draft.items.titles[row] == shop.items.titles[was]
    assert draft.items.categories == sorted(draft.items.categories)
    popular = [draft.items.ids[row] for row in draft.ladder.popular_in("all")]
    assert popular[:3] == ["item-0", "item-1", "item-2"]


def test_the_manifest_says_what_was_measured(draft: Draft) -> None:
    facts = draft.manifest
    assert (facts.n_items, facts.dim, facts.created_at) == (300, 16, "2023-11-14T22:13:20+00:00")
    assert facts.inputs.user_tower == ("item_vectors", "action_types", "ages_s")
    assert 0.95 <= facts.index.recall <= 1.0
    assert facts.norms.min == pytest.approx(1.0, abs=1e-4)


def test_histograms_are_shares(draft: Draft) -> None:
    histograms = draft.baseline["histograms"]
    assert isinstance(histograms, dict)
    vector = histograms.pop("user_vector")
    assert len(vector["mean"]) == len(vector["std"]) == 16
    for histogram in histograms.values():
        assert sum(histogram["shares"]) == pytest.approx(1.0, abs=1e-4)
        assert len(histogram["edges"]) == len(histogram["shares"]) + 1
        assert histogram["n"] > 0


def test_probes_start_with_somebody_unknown(draft: Draft) -> None:
    probes = draft.probes
    assert not probes.inputs["item_rows"][0].any()
    assert "item_vectors" not in probes.inputs
    assert probes.rows.shape == (64, 100)


def test_skew_is_none_against_oneself_and_large_against_strangers(
    draft: Draft, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = load_release(publish(draft, tmp_path_factory.mktemp("store")).folder)
    assert set(skew(old, answered(draft, draft.vectors)).values()) == {draft.manifest.release, 1.0}
    turned = np.roll(draft.vectors, 1, axis=1)
    assert float(str(skew(old, answered(draft, turned))["old_tower_new_index"])) < 0.8


def test_skew_is_said_in_words_and_needs_no_tower_that_fits(
    draft: Draft, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = load_release(publish(draft, tmp_path_factory.mktemp("store")).folder)
    mixed, changed = in_words(skew(old, answered(draft, draft.vectors)))
    assert "would hold 100.0% of the right 100 items" in mixed
    assert "100.0% of the 100 neighbours of an item stayed the same, 100.0%" in changed
    others = answered(draft, draft.vectors)
    gone = replace(others, ids=[f"new-{item_id}" for item_id in others.ids])
    assert "same_item_neighbours" not in skew(old, gone)
    wide = np.pad(others.vectors, ((0, 0), (0, 4))), np.pad(others.answers, ((0, 0), (0, 4)))
    found = skew(old, replace(others, vectors=wide[0], answers=wide[1]))
    assert set(found) == {"with", "same_item_neighbours", "same_user_neighbours"}
    assert "mixed" not in " ".join(in_words(found))


def answered(draft: Draft, vectors: np.ndarray) -> Answered:
    states = make_shop().states  # rows of another order: any histories will do
    tower = OnnxUserTower(draft.user_tower, TowerFit(16, 20))
    inputs = history_inputs(states.histories, states.now_s, 20)
    inputs["item_vectors"] = item_vectors(inputs["item_rows"], vectors)
    answers = tower.run({name: inputs[name] for name in tower.input_names})
    return Answered(draft.items.ids, vectors, states, answers)


def test_the_mean_tower_weighs_recent_and_strong_actions_more() -> None:
    east, north = np.eye(2, dtype=np.float32)
    tower = OnnxUserTower(mean_tower(2, 2, east, "v"), TowerFit(2, 2))

    def ask(types: tuple[int, int], ages_s: tuple[float, float]) -> np.ndarray:
        inputs = {
            "item_vectors": np.array([[east, north]]),
            "action_types": np.array([types]),
            "ages_s": np.array([ages_s], dtype=np.float32),
        }
        return tower.run(inputs)[0]

    recent = ask((1, 1), (60 * 86_400.0, 60.0))
    assert recent[1] > recent[0]
    strong = ask((1, 4), (60.0, 60.0))
    assert strong[0] > strong[1]

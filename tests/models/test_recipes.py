"""Dataset descriptions and recipes: what they say, and what they may not."""

from pathlib import Path

import pytest

from models.errors import RecipeInvalid
from models.recipes import DATASETS, Recipe, load_dataset


def test_a_folder_of_a_known_name_gets_its_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "movietweetings-100k"
    folder.mkdir()
    dataset = load_dataset(folder)
    assert dataset.recipe.temperature == 0.07
    assert [band.action for band in dataset.actions["rate"]] == ["purchase", "click", "dislike"]


def test_an_unknown_folder_gets_the_canonical_actions(tmp_path: Path) -> None:
    dataset = load_dataset(tmp_path)
    assert set(dataset.actions) >= {"purchase", "view", "dislike"}
    assert dataset.recipe == Recipe()


def test_a_description_inside_the_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(
        '[actions]\nbuy = "purchase"\n[recipe]\nepochs = 2\nlearning_rate = 1\n'
    )
    dataset = load_dataset(tmp_path)
    assert set(dataset.actions) == {"buy"}
    assert (dataset.recipe.epochs, dataset.recipe.learning_rate) == (2, 1.0)


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_description_is_valid(path: Path, tmp_path: Path) -> None:
    assert load_dataset(tmp_path, path).name == path.stem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[recipe]\nlayers = 3", "unknown recipe key 'layers'"),
        ("[recipe]\nepochs = 1.5", "epochs must be of type int"),
        ("[recipe]\nepochs = 0", "epochs must be a number above 0"),
        ("[recipe]\nid_dropout = 1", "id_dropout must be at least 0 and below 1"),
        ('[recipe]\nencoder = "oracle"', "encoder must be one of mean"),
        ('[recipe]\nas_of_features = "yes"', "as_of_features must be of type bool"),
        ("[recipe]\ntemperature = 0.001", "temperature must be at least"),
        ("[recipe]\nseed = -1", "seed must not be negative"),
        ('[actions]\nbuy = "bought"', "actions.buy must name actions among purchase"),
        ("[actions]\nrate = 3", "actions.rate needs a list"),
        ("[model]\nx = 1", "unknown key 'model'"),
        ("epochs = ", "not valid TOML"),
    ],
)
def test_an_impossible_description_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeInvalid, match=sentence):
        load_dataset(tmp_path, path)


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=r"none\.toml cannot be read"):
        load_dataset(tmp_path, tmp_path / "none.toml")

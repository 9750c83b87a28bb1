"""The demo release that is committed: complete, small, credited, and made with the recipe."""

import tomllib
from pathlib import Path

from models.recipes import DATASETS
from service.releases.loader import load_release
from service.releases.local_store import LocalStore

DEMO = Path(__file__).parents[2] / "models" / "demo"
LARGEST_BYTES = 15_000_000


def test_the_demo_release_would_go_live() -> None:
    release = load_release(DEMO / "store" / LocalStore(DEMO / "store").current())
    assert len(release.catalogue) == 3673
    assert release.has_repeats


def test_release_and_data_are_small() -> None:
    sizes = [path.stat().st_size for path in DEMO.rglob("*") if path.is_file()]
    assert sum(sizes) <= LARGEST_BYTES


def test_only_the_current_release_is_kept() -> None:
    store = DEMO / "store"
    assert {path.name for path in store.iterdir()} == {LocalStore(store).current(), "CURRENT"}


def test_the_data_are_credited() -> None:
    release = load_release(DEMO / "store" / LocalStore(DEMO / "store").current())
    data = release.manifest["data"]
    assert isinstance(data, dict)
    assert (data["licence"], data["name"]) == ("CC BY 4.0", "online-retail")
    assert "Daqing Chen" in str(data["title"])
    assert "CC BY 4.0" in (DEMO / "data" / "README.md").read_text()


def test_the_recipe_beside_the_data_is_the_one_that_is_shipped() -> None:
    shipped = tomllib.loads((DATASETS / "online-retail.toml").read_text())
    assert tomllib.loads((DEMO / "data" / "dataset.toml").read_text()) == shipped

"""One small shop for the journeys: a real release, served by a real process with real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.releases.loader import load_release
from tests.journeys.running import Running, running
from tests.releases import make_release


@pytest.fixture(scope="session")
def shop_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the release; its parent is the store."""
    return make_release(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def shop(shop_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running service for journeys that leave it as they found it; users have their own ids."""
    with running(shop_release.parent, tmp_path_factory.mktemp("shop")) as service:
        yield service


@pytest.fixture(scope="session")
def categories(shop_release: Path) -> dict[str, str]:
    """Category by item id."""
    catalogue = load_release(shop_release).catalogue
    names = [catalogue.category_names[code] for code in catalogue.categories]
    return dict(zip(catalogue.item_ids, names, strict=True))

"""One service of two workers for all tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import A, Served, made_store, point, served


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def running_shop(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    point(store, A)
    with served(store, tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def shop(running_shop: Served) -> Served:
    """There is one family of two workers; A or B is live."""
    running_shop.settled()
    return running_shop

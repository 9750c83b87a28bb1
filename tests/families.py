"""Fixtures: one service of two workers for all tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import A, Served, made_store, point, served


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases that both fit."""
    return made_store(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def running_family(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    point(store, A)
    with served(store, tmp_path_factory.mktemp("family")) as family:
        yield family


@pytest.fixture
def family(running_family: Served) -> Served:
    """There is one family of two workers; A or B is live."""
    running_family.settled()
    return running_family

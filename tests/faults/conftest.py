"""A running service whose Redis can be made to fail in every way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.families import family, running_family, store
from tests.faults.shop import Shop, opened_shop
from tests.redis_server import RedisServer, redis_server
from tests.releases import make_release

__all__ = ["family", "running_family", "store"]


@pytest.fixture(scope="session")
def bare() -> Iterator[RedisServer]:
    """One server for the tests that speak to the store itself."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server(bare: RedisServer) -> Iterator[RedisServer]:
    with bare.client() as plain:
        plain.flushall()
    yield bare


@pytest.fixture(scope="session")
def faulty_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def opened(faulty_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened_shop(faulty_release.parent, tmp_path_factory.mktemp("faulty")) as shop:
        yield shop


@pytest.fixture
def shop(opened: Shop) -> Iterator[Shop]:
    """The one shop, whole before and after each test."""
    opened.whole()
    yield opened
    opened.mend()
    opened.whole()

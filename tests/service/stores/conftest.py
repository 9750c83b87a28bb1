from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import Clock


@pytest.fixture(scope="session")
def running() -> Iterator[RedisServer]:
    """One server for all tests that leave it as it is."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> Iterator[RedisServer]:
    """The shared server, empty."""
    with running.client() as client:
        client.flushall()
    yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()

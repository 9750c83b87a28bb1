"""A service of several processes, as far as metrics go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.monitoring.processes import prepare, remove
from tests.service.monitoring.forked import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    started = Service(prepare(tmp_path))
    yield started
    started.end()
    remove(tmp_path)

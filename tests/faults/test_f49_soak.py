"""F49: nothing piles up while releases change under load; `make soak` goes on for hours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.memory import descendants, pss_bytes
from loadtest.soak import open_files, series
from tests.journeys.running import until
from tests.processes import SOON_S, A, Crowd, Served, made_store, point, served

pytestmark = pytest.mark.redis
WARM_SWITCHES, SWITCHES = 3, 8
FILES_MOST = 5
GROWTH_BYTES_MOST = 100 * 2**20


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Served]:
    store = made_store(tmp_path / "store")
    point(store, A)
    with served(store, tmp_path) as family:
        yield family


def held(family: Served) -> tuple[int, int, int, int]:
    """Processes, open files, metric series and bytes of one settled family and a spare host."""
    family.settled()
    until(lambda: len(family.spares()) == 1, SOON_S, "a spare host")
    processes = descendants(family.supervisor)
    files, page = sum(map(open_files, processes)), series(family.service.url)
    return len(processes), files, page, pss_bytes(processes)


def test_f49_nothing_piles_up_while_releases_change(family: Served) -> None:
    with Crowd(family.service.url) as crowd:
        for _ in range(WARM_SWITCHES):
            family.activate(family.other)
            crowd.asks_on()
        before = held(family)
        for _ in range(SWITCHES):
            family.activate(family.other)
            crowd.asks_on()
        after = held(family)
    crowd.is_content()
    assert after[0] == before[0]
    assert abs(after[1] - before[1]) <= FILES_MOST
    assert after[2] - before[2] < SWITCHES, "a word counted for the first time is no leak"
    assert after[3] - before[3] <= GROWTH_BYTES_MOST

"""The way back is short: what was proved is not proved again, and nobody goes first."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.domain.releases import ReleaseState
from service.errors import ReleaseRefused
from tests.journeys.running import until
from tests.processes import SOON_S, A, B, Crowd, Served, kill, made_store, point, served

pytestmark = pytest.mark.redis
NEVER_S = {"SIGHTLINE_PROCESSES__IDLE_LOAD_S": "60"}
GIVING_WAY = {os.SCHED_IDLE, os.SCHED_BATCH}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return made_store(tmp_path / "store")


@pytest.fixture
def shop(store: Path, tmp_path: Path) -> Iterator[Served]:
    """A is live, for the first time."""
    point(store, A)
    with served(store, tmp_path, **NEVER_S) as shop:
        yield shop


def not_checked_again(shop: Served) -> list[str]:
    """Releases that a host took for proved."""
    messages = [line["message"] for line in shop.log()]
    return [name for name in (A, B) for said in messages if f"no file of {name} was" in said]


def seen_policies(shop: Served, do: Callable[[], object]) -> set[int]:
    """How the processes that were started meanwhile were scheduled."""
    before, found, is_over = shop.processes(), set[int](), threading.Event()

    def look() -> None:
        while not is_over.is_set():
            for process in shop.processes() - before:
                found.add(policy(process))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        do()
    finally:
        is_over.set()
        looking.join()
    return found


def policy(process: int) -> int:
    try:
        return os.sched_getscheduler(process)
    except ProcessLookupError:
        return os.SCHED_OTHER


def test_a_rollback_proves_nothing_again_and_gives_way_to_nobody(shop: Served) -> None:
    assert seen_policies(shop, lambda: shop.activate(B)) & GIVING_WAY
    shop.settled()
    assert not_checked_again(shop) == []
    assert seen_policies(shop, shop.rollback) == {os.SCHED_OTHER}
    assert shop.live == A
    assert not_checked_again(shop) == [A]


def test_a_former_release_that_was_damaged_is_refused_and_the_live_one_goes_on(
    shop: Served, store: Path
) -> None:
    shop.activate(B)
    shop.settled()
    vectors = store / A / "item_vectors.npy"
    content, before = vectors.read_bytes(), vectors.stat()
    vectors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(vectors, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Crowd(shop.service.url) as crowd, pytest.raises(ReleaseRefused) as refused:
        shop.rollback()
    assert refused.value.reason == "checksum"
    crowd.is_content()
    assert set(crowd.releases) == {B}
    states = {status.name: status.state for status in shop.overview().releases}
    assert (states[A], states[B]) == (ReleaseState.REFUSED, ReleaseState.LIVE)
    vectors.write_bytes(content)
    shop.rollback()
    assert shop.live == A
    assert not_checked_again(shop) == []


def test_a_host_that_died_is_replaced_at_once_by_one_that_proves_nothing_again(
    shop: Served,
) -> None:
    hosts, workers = shop.hosts(), shop.workers()

    def lose_the_host() -> None:
        kill(*hosts)
        until(lambda: not shop.workers() & workers, SOON_S, "the end of its orphans")
        shop.settled()

    assert seen_policies(shop, lose_the_host) == {os.SCHED_OTHER}
    assert (shop.live, not_checked_again(shop)) == (A, [A])

"""The live release is asked again: damage in memory is seen, and nobody waits for the asking."""

import asyncio
import logging
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from service.catalogue.growing import GrowingVectors
from service.catalogue.live import LiveCatalogue
from service.domain.arrays import Vectors
from service.monitoring.metrics import Metrics
from service.ports.serving import Release
from service.releases import watch as watch_module
from service.releases.loader import load_release
from service.releases.watch import Watch
from tests.releases import make_release
from tests.scrapes import sample

MISMATCH = "retrieval_embedding_version_mismatch"
PROBES = "retrieval_golden_probes_total"
WITHIN_S = 20.0


class Held:
    """The live release, which a test may damage."""

    def __init__(self, live: Release) -> None:
        self.live = live


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return load_release(make_release(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Another training: other vectors, another tower, the same sizes."""
    return load_release(make_release(tmp_path_factory.mktemp("other"), seed=2))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "PAUSE_S", 0.0)


def watching(live: Release, every_s: float = 300.0) -> tuple[Watch, Metrics]:
    metrics = Metrics()
    return Watch(Held(live), metrics.operator, every_s), metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return sample(metrics.render(), name, **labels)


async def test_a_sound_release_passes_every_probe(release: Release) -> None:
    watch, metrics = watching(release)
    found = await watch.look()
    assert (found.release, found.failure) == (release.name, None)
    assert watch.found == found
    assert release.golden is not None
    assert value(metrics, PROBES, outcome="passed") == len(release.golden)
    assert value(metrics, MISMATCH) == 0


def swapped_tower(release: Release, other: Release) -> Release:
    return replace(release, tower=other.tower)


def swapped_index(release: Release, other: Release) -> Release:
    return replace(release, index=other.index)


def swapped_catalogue(release: Release, other: Release) -> Release:
    return replace(release, catalogue=other.catalogue)


def with_vectors(release: Release, vectors: Vectors) -> Release:
    damaged = copy(cast(LiveCatalogue, release.catalogue))
    damaged.vectors = GrowingVectors(vectors)
    return replace(release, catalogue=damaged)


def moved_rows(release: Release, other: Release) -> Release:
    return with_vectors(release, np.roll(all_vectors(release), 1, axis=0))


def all_vectors(release: Release) -> Vectors:
    return release.catalogue.vectors[np.arange(len(release.catalogue))].copy()


def one_flipped_sign(release: Release, other: Release) -> Release:
    """In rows that the handshake does not look at: only the probes tell."""
    sound = all_vectors(release)
    vectors = sound.copy()
    vectors[:, 0] = -vectors[:, 0]
    vectors[:: len(vectors) // 64] = sound[:: len(vectors) // 64]
    return with_vectors(release, vectors)


@pytest.mark.parametrize(
    "damage", [swapped_tower, swapped_index, swapped_catalogue, moved_rows, one_flipped_sign]
)
async def test_damage_in_memory_is_seen_and_told(
    damage: Callable[[Release, Release], Release],
    release: Release,
    other: Release,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch, metrics = watching(damage(release, other))
    found = await watch.look()
    assert found.failure
    assert value(metrics, MISMATCH) == 1
    assert found.failure in caplog.text


async def test_every_probe_tells_what_it_found(release: Release, other: Release) -> None:
    assert release.golden is not None
    n = len(release.golden)
    for damaged, outcome in (
        (replace(release, tower=other.tower), "vector"),
        (replace(release, index=other.index), "neighbours"),
    ):
        watch, metrics = watching(damaged)
        sound_handshake = pytest.MonkeyPatch()
        sound_handshake.setattr(watch_module, "handshake", lambda _: None)
        await watch.look()
        sound_handshake.undo()
        failed = value(metrics, PROBES, outcome=outcome) or 0.0
        passed = value(metrics, PROBES, outcome="passed") or 0.0
        assert failed + passed == n
        assert failed >= n / 2
        assert value(metrics, MISMATCH) == 1, "the probes alone tell"


async def test_a_release_that_is_mended_is_told_too(release: Release, other: Release) -> None:
    held = Held(replace(release, tower=other.tower))
    metrics = Metrics()
    watch = Watch(held, metrics.operator, 300.0)
    await watch.look()
    held.live = release
    await watch.look()
    assert value(metrics, MISMATCH) == 0


async def test_it_looks_again_and_again_and_outlives_a_defect(
    release: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def defect_first(_: Release) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a defect")

    monkeypatch.setattr(watch_module, "handshake", defect_first)
    watch, metrics = watching(release, every_s=0.01)
    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(watch.run())
        limit_s = time.monotonic() + WITHIN_S
        while len(calls) < 3:
            assert time.monotonic() < limit_s, "it looked too seldom"
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert value(metrics, PROBES, outcome="other") == 1
    assert value(metrics, MISMATCH) == 0
    assert "could not be asked" in caplog.text


async def test_others_run_between_any_two_questions(release: Release) -> None:
    """At least two turns of the event loop for every probe."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watch, _ = watching(release)
    task = asyncio.create_task(count())
    await watch.look()
    task.cancel()
    assert release.golden is not None
    assert turns >= 2 * len(release.golden)


async def test_a_release_without_probes_still_shakes_hands(
    release: Release, other: Release
) -> None:
    watch, _ = watching(replace(release, golden=None))
    assert (await watch.look()).failure is None
    watch, _ = watching(replace(release, golden=None, tower=other.tower))
    assert (await watch.look()).failure


def test_probes_are_few_enough_to_be_asked_often(release: Release) -> None:
    assert release.golden is not None
    assert 1 <= len(release.golden) <= 1000


def test_a_release_keeps_no_file_open(release: Release, tmp_path: Path) -> None:
    """The store may drop a release that serves: asking needs nothing but memory."""
    folder = make_release(tmp_path / "store")
    loaded = load_release(folder)
    for path in folder.iterdir():
        path.unlink()
    watch, _ = watching(loaded)
    assert asyncio.run(watch.look()).failure is None

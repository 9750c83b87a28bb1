"""Live requests replayed against a staged release: over a real socket, harmless whatever fails."""

import asyncio
import contextlib
import copy
import logging
import socket
import stat
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.domain.events import Event
from service.domain.requests import Request
from service.domain.traces import Trace
from service.pipeline import Pipeline
from service.ports.serving import Release
from service.settings.tree import Settings
from service.shadow import sampler as sampler_module
from service.shadow.replay import WAITING_MAX, listening
from service.shadow.sampler import Sampler
from service.shadow.sockets import socket_of, sockets_in
from service.stages.page import Page
from service.wiring.read_path import Shared, lookup_of, make_pipeline
from tests.factories import NOW_S, NoTrends, make_catalogue, make_release
from tests.fake_memories import FakePages
from tests.fakes import FakeSessions

WITHIN_S = 10.0
N_REQUESTS = 30
NONSENSE = (b"\xff\n", b"{}\n", b"[]\n", b'{"do": "replay", "dropped": "x"}\n', b"x" * 2**21)


class Held:
    """Always the same release."""

    def __init__(self, live: Release) -> None:
        self.live = live


class Slow:
    """A read path that never comes to an end."""

    async def recommend(self, request: Request, trace: Trace) -> None:
        await asyncio.Event().wait()


class Broken:
    """A read path with a defect."""

    async def recommend(self, request: Request, trace: Trace) -> None:
        raise RuntimeError("a defect")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as the paths of sockets have to be."""
    with tempfile.TemporaryDirectory(prefix="s") as name:
        yield Path(name)


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions(lambda: NOW_S)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "LOOK_S", 0.01)


def pipeline_of(sessions: FakeSessions, name: str, n_items: int = 30) -> Pipeline:
    held = Held(make_release(make_catalogue(n_items), name=name))
    parts = lookup_of(Settings(), sessions), Page(FakePages(), 1.0), NoTrends()
    return make_pipeline(Settings().pipeline, 1800.0, Shared(held, lambda: NOW_S, *parts))


@asynccontextmanager
async def sampling(folder: Path | None, share: float = 1.0) -> AsyncIterator[Any]:
    """A running sampler of the release `live`, with a count of what it told."""
    told: Counter[str] = Counter()
    sampler = Sampler(folder, share, "live", lambda outcome: told.update([outcome]))
    task = asyncio.create_task(sampler.run())
    try:
        yield sampler, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < limit_s, "it never came true"
        await asyncio.sleep(0.005)


async def answer(pipeline: Pipeline, sampler: Sampler, n: int = N_REQUESTS) -> None:
    """Answers requests of known and unknown people, and offers each."""
    for i in range(n):
        request, trace = Request(k=5, user_id=f"person-{i % 7}"), Trace("t")
        sampler.offer(request, await pipeline.recommend(request, trace), trace)
        await asyncio.sleep(0)


async def connected(sampler: Any) -> None:
    await until(lambda: bool(sampler._writers))


async def reported(sampler: Sampler, **expected: int) -> dict[str, Any]:
    """The report, as soon as it says what is expected."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            report = await sampler.report("next")
            assert report is not None
            if all(report[name] == value for name, value in expected.items()):
                return report
            await asyncio.sleep(0.01)


def views(n: int) -> list[Event]:
    return [
        Event(f"e-{i}", "view", f"u:person-{i % 7}", f"i{i % 30}", int(NOW_S - i) * 1000)
        for i in range(n)
    ]


async def test_the_same_release_gives_the_same_lists(folder: Path, sessions: FakeSessions) -> None:
    await sessions.record(views(40))
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, told):
        await connected(sampler)
        await answer(live, sampler)
        report = await reported(sampler, requests=N_REQUESTS)
    assert report["release"] == "next"
    assert report["against"] == {"live": N_REQUESTS}
    assert report["overlap_at_k"] == {"mean": 1.0, "standard_error": 0.0}
    assert report["score"]["difference"] == {"mean": 0.0, "standard_error": 0.0}
    assert report["degraded"]["live"] == report["degraded"]["staged"]
    assert report["empty"] == {"live": 0.0, "staged": 0.0}
    assert report["latency_ms"]["staged"]["p99"] > 0
    assert sum(its["requests"] for its in report["segments"].values()) == N_REQUESTS
    assert told == {"sent": N_REQUESTS}


async def test_another_release_shows_where_it_differs(folder: Path, sessions: FakeSessions) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next", n_items=3)
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, _):
        await connected(sampler)
        await answer(live, sampler)
        report = await reported(sampler, requests=N_REQUESTS)
    assert report["overlap_at_k"]["mean"] < 1.0
    assert report["degraded"]["staged"] == 1.0, "three items are too few for five places"


async def test_a_replay_writes_nothing(folder: Path, sessions: FakeSessions) -> None:
    await sessions.record(views(40))
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    before = copy.deepcopy(sessions.people)
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, _):
        await connected(sampler)
        await answer(live, sampler)
        await reported(sampler, requests=N_REQUESTS)
    assert sessions.people == before


async def test_a_slow_release_costs_samples_and_nothing_else(
    folder: Path, sessions: FakeSessions
) -> None:
    live, staged = pipeline_of(sessions, "live"), Slow()
    n_requests = 3 * WAITING_MAX
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, told):  # type: ignore[arg-type]
        await connected(sampler)
        await answer(live, sampler, n_requests)
        report = await reported(sampler, dropped=n_requests - WAITING_MAX - 1)
    assert report["requests"] == 0
    assert sum(told.values()) == n_requests


async def test_a_burst_is_dropped_where_it_is_drawn(folder: Path, sessions: FakeSessions) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    request, trace = Request(k=5), Trace("t")
    found = await live.recommend(request, trace)
    n_burst = sampler_module.WAITING_MAX + 10
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, told):
        await connected(sampler)
        for _ in range(n_burst):  # the event loop sees none of it before the end
            sampler.offer(request, found, trace)
        assert told == {"dropped": 10}
        await reported(sampler, requests=sampler_module.WAITING_MAX, dropped=10)


async def test_a_sample_that_cannot_be_sent_is_dropped_and_the_next_is_not(
    folder: Path, sessions: FakeSessions
) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    odd, trace = Request(k=5, context={"x": object()}), Trace("t")  # type: ignore[dict-item]
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, told):
        await connected(sampler)
        sampler.offer(odd, await live.recommend(odd, trace), trace)
        await answer(live, sampler, 3)
        await reported(sampler, requests=3, dropped=1)
    assert told == {"sent": 3, "dropped": 1}


async def test_a_defect_of_the_staged_release_is_counted(
    folder: Path, sessions: FakeSessions, caplog: pytest.LogCaptureFixture
) -> None:
    live, staged = pipeline_of(sessions, "live"), Broken()
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, _):  # type: ignore[arg-type]
        await connected(sampler)
        with caplog.at_level(logging.WARNING):
            await answer(live, sampler, 3)
            await reported(sampler, failed=3)
    assert "person-" not in caplog.text


async def test_without_a_staged_release_nothing_is_drawn(
    folder: Path, sessions: FakeSessions
) -> None:
    live = pipeline_of(sessions, "live")
    for place in (folder, None):
        async with sampling(place) as (sampler, told):
            await answer(live, sampler)
            assert await sampler.report("next") is None
            assert not told


async def test_nothing_is_sent_to_the_own_release(folder: Path, sessions: FakeSessions) -> None:
    live = pipeline_of(sessions, "live")
    async with (
        listening(folder, "live", live.recommend),
        listening(folder, "next", live.recommend),
        sampling(folder) as (sampler, _),
    ):
        await connected(sampler)
        assert set(sampler._writers) == {socket_of(folder, "next")}


async def test_a_release_that_goes_away_is_forgotten(folder: Path, sessions: FakeSessions) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    async with sampling(folder) as (sampler, told):
        for _ in range(2):  # and it may come back
            async with listening(folder, "next", staged.recommend):
                await connected(sampler)
                await answer(live, sampler, 3)
                await reported(sampler, requests=3)
            kept = await sampler.report("next")
            assert kept is not None and kept["requests"] == 3, "its last report can be read"
            await answer(live, sampler, 3)
            await until(lambda: not sampler._writers)
        assert told["dropped"] == 0


async def test_a_socket_left_by_a_crash_is_no_obstacle(
    folder: Path, sessions: FakeSessions
) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    for release in ("next", "other"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(socket_of(folder, release)))
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, _):
        await connected(sampler)
        await answer(live, sampler, 3)
        await reported(sampler, requests=3)


async def test_of_several_workers_one_listens_and_only_to_its_own_user(
    folder: Path, sessions: FakeSessions
) -> None:
    staged = pipeline_of(sessions, "next")
    async with listening(folder, "next", staged.recommend):
        inode = socket_of(folder, "next").stat().st_ino
        async with listening(folder, "next", staged.recommend):
            assert socket_of(folder, "next").stat().st_ino == inode
        assert stat.S_IMODE(socket_of(folder, "next").stat().st_mode) == 0o600
    assert not sockets_in(folder)


async def test_nonsense_on_the_socket_ends_only_that_connection(
    folder: Path, sessions: FakeSessions
) -> None:
    live, staged = pipeline_of(sessions, "live"), pipeline_of(sessions, "next")
    async with listening(folder, "next", staged.recommend), sampling(folder) as (sampler, _):
        for line in NONSENSE:
            reader, writer = await asyncio.open_unix_connection(socket_of(folder, "next"))
            writer.write(line)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):  # it did not read to the end
                assert await reader.read() == b""
            writer.close()
        await connected(sampler)
        await answer(live, sampler, 3)
        await reported(sampler, requests=3)

"""The impression log: whole lines on disk, bounded, sampled whole, and never in the way."""

import asyncio
import contextlib
import json
import resource
from pathlib import Path

import numpy as np
import pytest

from service.domain.events import Event
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.sessions import Segment
from service.domain.traces import Draw, Trace
from service.impressions.files import RotatedFiles, log_files
from service.impressions.log import FLUSH_S, ImpressionLog
from tests.factories import NOW_S, make_candidates, make_release

RELEASE = make_release()


def make_answer(recommendation_id: str) -> Recommendation:
    items = make_candidates(0, 7)
    return Recommendation(
        recommendation_id, items, ("i0", "i7"), ((), ()), 2, Segment.CASUAL, "tiny", "tiny-1"
    )


def click(recommendation_id: str) -> Event:
    return Event(
        "e", "click", "u:annabel", "i7", NOW_S, recommendation_id=recommendation_id, rank=2
    )


class Lost:
    n = 0

    def __call__(self, n: int) -> None:
        self.n += n


async def written(log: ImpressionLog) -> None:
    """Runs the writer until everything that came in so far is written."""
    task = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def lines(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for path in log_files(folder) for line in path.read_text().splitlines()
    ]


async def test_a_list_is_logged_with_its_draws_and_what_came_of_it(tmp_path: Path) -> None:
    log = ImpressionLog(RotatedFiles(tmp_path / "log", 2**20, 2**22), 1.0, Lost())
    trace = Trace("t", draws=(Draw(7, np.array([7, 8]), 0.5),))
    log.shown(Request(k=2, user_id="annabel"), trace, make_answer("ab" * 12), RELEASE, NOW_S)
    log.happened(click("ab" * 12))
    await written(log)
    shown, clicked = lines(tmp_path / "log")
    assert shown["items"] == ["i0", "i7"]
    assert shown["draws"] == [{"item_id": "i7", "pool": ["i7", "i8"], "propensity": 0.5}]
    assert (clicked["recommendation_id"], clicked["rank"]) == (shown["recommendation_id"], 2)
    assert "annabel" not in json.dumps([shown, clicked])


async def test_a_share_keeps_lists_whole(tmp_path: Path) -> None:
    """Half of the ids, and of those both the list and the click."""
    log = ImpressionLog(RotatedFiles(tmp_path, 2**20, 2**22), 0.5, Lost())
    rng = np.random.default_rng(0)
    ids = [rng.bytes(12).hex() for _ in range(400)]
    for one in ids:
        log.shown(Request(), Trace("t"), make_answer(one), RELEASE, NOW_S)
        log.happened(click(one))
    log.happened(click("not one of ours"))
    log.happened(click(""))
    await written(log)
    kinds: dict[object, set[object]] = {}
    for line in lines(tmp_path):
        kinds.setdefault(line["recommendation_id"], set()).add(line["kind"])
    assert 150 < len(kinds) < 250
    assert all(kind == {"impression", "feedback"} for kind in kinds.values())


async def test_files_rotate_and_the_oldest_give_way(tmp_path: Path) -> None:
    files = RotatedFiles(tmp_path, file_bytes=1000, total_bytes=3000)
    for number in range(60):
        files.append(f'{{"n": {number:90d}}}\n'.encode())
    kept = [line["n"] for line in lines(tmp_path)]
    assert kept[-1] == 59 and kept == list(range(kept[0], 60))  # type: ignore[call-overload]
    assert 1000 <= sum(path.stat().st_size for path in log_files(tmp_path)) <= 4000


async def test_a_disk_that_fails_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    lost = Lost()
    log = ImpressionLog(RotatedFiles(blocked, 2**20, 2**22), 1.0, lost)
    log.happened(click("00" * 12))
    await written(log)
    assert lost.n == 1


def test_what_a_full_disk_tears_stays_the_end_of_its_file(tmp_path: Path) -> None:
    files = RotatedFiles(tmp_path, 2**20, 2**22)
    line = b'{"n": "' + b"x" * 600 + b'"}\n'
    files.append(line)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, former[1]))
    try:
        with pytest.raises(OSError):
            files.append(line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    files.append(line)
    assert sorted(path.read_bytes() for path in log_files(tmp_path)) == [
        line,
        (line + line)[:1000],
    ]


async def test_lines_reach_the_disk_while_the_service_runs(tmp_path: Path) -> None:
    log = ImpressionLog(RotatedFiles(tmp_path, 2**20, 2**22), 1.0, Lost())
    task = asyncio.create_task(log.run())
    log.happened(click("00" * 12))
    async with asyncio.timeout(20 * FLUSH_S):
        while not log_files(tmp_path):  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert len(lines(tmp_path)) == 1

"""Off-policy estimates from a log that the service's own stages wrote, against known truth."""

import asyncio
import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.__main__ import main
from models.ope import POLICIES, Slot, estimate, first, read_slots, uniform
from service.domain.events import Event
from service.domain.requests import Request
from service.domain.traces import Trace
from service.impressions.files import RotatedFiles, log_files
from service.impressions.log import ImpressionLog
from service.stages.explore import Explore
from service.stages.truncate import truncate
from tests.factories import NOW_S, make_candidates, make_catalogue, make_query, make_release

RELEASE = make_release(make_catalogue(40))
CLICK_RATE = {f"i{row}": 0.02 + 0.4 * (row % 5 == 0) for row in range(40)}
N_LISTS = 8000
STANDARD_ERRORS = 3.0


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists as the stages make them; explored items are clicked at known rates."""
    folder = tmp_path_factory.mktemp("log")
    lost: list[int] = []
    impressions = ImpressionLog(RotatedFiles(folder, 2**22, 2**26), 1.0, lost.append)
    rng = np.random.default_rng(5)
    explore, found = Explore(0.15), make_candidates(*range(40))
    for person in range(N_LISTS):
        trace = Trace("t")
        query = replace(make_query(RELEASE, k=10), user=f"u:{person}")
        items = explore(found, query, RELEASE, trace)
        answer = truncate(items, query, RELEASE, None, trace)
        impressions.shown(Request(k=10), trace, answer, RELEASE, NOW_S)
        for draw in trace.draws:
            item_id = RELEASE.catalogue.item_ids[draw.row]
            if rng.random() < CLICK_RATE[item_id]:
                impressions.happened(_click(person, item_id, answer.recommendation_id))
    asyncio.run(_write(impressions))
    assert not lost
    return folder


def _click(person: int, item_id: str, recommendation_id: str) -> Event:
    return Event(
        "e", "click", f"u:{person}", item_id, NOW_S + 5, recommendation_id=recommendation_id
    )


async def _write(impressions: ImpressionLog) -> None:
    task = asyncio.create_task(impressions.run())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("name", POLICIES)
def test_estimates_meet_the_truth_of_a_known_policy(log: Path, name: str) -> None:
    slots = list(read_slots(log, "click", 86_400.0))
    assert len(slots) > N_LISTS
    policy = POLICIES[name]
    rates = [
        float(policy(slot.pool) @ np.array([CLICK_RATE[one] for one in slot.pool]))
        for slot in slots
    ]
    truth = float(np.mean(rates))
    found = estimate(name, slots, policy)
    assert abs(found.ips - truth) < STANDARD_ERRORS * found.ips_half / 1.96
    assert abs(found.snips - truth) < STANDARD_ERRORS * found.snips_half / 1.96
    assert found.n_effective <= len(slots) + 1e-6


def test_the_logging_policy_is_worth_what_was_logged(log: Path) -> None:
    slots = list(read_slots(log, "click", 86_400.0))
    found = estimate("uniform", slots, uniform)
    mean = float(np.mean([slot.reward for slot in slots]))
    assert found.ips == pytest.approx(mean) == pytest.approx(found.snips)


def test_late_feedback_and_other_feedback_earn_nothing(log: Path) -> None:
    assert sum(slot.reward for slot in read_slots(log, "click", 1.0)) == 0
    assert sum(slot.reward for slot in read_slots(log, "purchase", 86_400.0)) == 0


def test_an_item_the_policy_never_draws_says_nothing() -> None:
    found = estimate("first", [Slot(("a", "b"), "b", 0.5, 1.0)], first)
    assert found.ips == 0.0
    assert np.isnan(found.snips)


def test_the_command_prints_every_policy(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ope", str(log)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in POLICIES)


def test_a_folder_without_a_log_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ope", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_rotated_files_with_torn_ends_lose_only_what_is_torn(log: Path, tmp_path: Path) -> None:
    (path,) = log_files(log)
    lines = path.read_bytes().splitlines(keepends=True)
    for number, start in enumerate(range(0, len(lines), 5000)):
        part = b"".join(lines[start : start + 5000])
        (tmp_path / f"impressions-2026-{number}.jsonl").write_bytes(part + lines[start][:-9])
    whole = [*read_slots(log, "click", 86_400.0)]
    assert len([*log_files(tmp_path)]) > 1
    assert [*read_slots(tmp_path, "click", 86_400.0)] == whole
    assert sum(slot.reward for slot in whole) > 0


def test_a_file_that_only_begins_is_no_log_yet_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "impressions-1.jsonl").write_text('{"kind": "impression", "dra')
    assert main(["ope", str(tmp_path)]) == 2
    assert "holds no explored slot" in capsys.readouterr().err


def test_ids_may_hold_what_other_readers_take_for_the_end_of_a_line(tmp_path: Path) -> None:
    item = "a\u2028b\u0085c"
    line = {"kind": "impression", "at": 1.0, "recommendation_id": "r"}
    draws = [{"item_id": item, "pool": [item, "d"], "propensity": 0.5}]
    (tmp_path / "impressions-1.jsonl").write_bytes(orjson.dumps({**line, "draws": draws}) + b"\n")
    assert [*read_slots(tmp_path, "click", 1.0)] == [Slot((item, "d"), item, 0.5, 0.0)]


def test_a_file_that_is_rotated_away_while_it_is_read_is_left_out(
    log: Path, tmp_path: Path
) -> None:
    shutil.copytree(log, tmp_path, dirs_exist_ok=True)
    (path,) = log_files(tmp_path)
    (tmp_path / "impressions-1.jsonl").write_bytes(path.read_bytes())
    slots = read_slots(tmp_path, "click", 86_400.0)
    next(slots)
    path.unlink()
    assert len([*slots]) > 0


def test_a_broken_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "impressions-x.jsonl").write_text('{"kind": "feedback", "event\n')
    assert main(["ope", str(tmp_path)]) == 2
    assert "impressions-x.jsonl:1" in capsys.readouterr().err

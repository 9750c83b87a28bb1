"""Off-policy estimates from a log that the service's own stages wrote, against known truth."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.__main__ import main
from models.ope import POLICIES, Slot, estimate, first, read_slots, uniform
from service.domain.events import Event
from service.domain.requests import Request
from service.domain.traces import Trace
from service.impressions.files import RotatedFiles
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


def test_a_broken_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "impressions-x.jsonl").write_text('{"kind": "feedback", "event\n')
    assert main(["ope", str(tmp_path)]) == 2
    assert "impressions-x.jsonl:1" in capsys.readouterr().err

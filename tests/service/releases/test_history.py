"""The history survives kills, full disks and years."""

import os
import signal
from pathlib import Path

import pytest

from service.domain.releases import HistoryEntry
from service.releases import history
from service.releases.history import History


def entry(n: int, detail: str = "") -> HistoryEntry:
    return HistoryEntry(float(n), f"release-{n}", "activate", "cli:root", "live", detail=detail)


def at(found: tuple[HistoryEntry, ...]) -> list[float]:
    return [one.at_s for one in found]


def test_what_was_written_is_read_newest_first(tmp_path: Path) -> None:
    written = History(tmp_path / "run" / "history.jsonl")
    assert written.newest(5) == ()
    for n in range(7):
        written.append(entry(n, "rücksetzen\n{}"))
    read = History(tmp_path / "run" / "history.jsonl").newest(3)
    assert at(read) == [6.0, 5.0, 4.0]
    assert read[0] == entry(6, "rücksetzen\n{}")


@pytest.mark.parametrize("cut", [1, 20, 90])
def test_a_torn_line_is_skipped_and_the_next_entry_is_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "history.jsonl"
    History(path).append(entry(1))
    History(path).append(entry(2))
    path.write_bytes(path.read_bytes()[:-cut])
    whole = at(History(path).newest(9))
    assert whole == ([2.0, 1.0] if cut == 1 else [1.0])  # only the line feed is missing
    History(path).append(entry(3))
    assert at(History(path).newest(9)) == [3.0, *whole]


@pytest.mark.parametrize("garbage", [b"\x00\xff\n", b"[]\n", b'{"at_s": 1}\n', b"\n\n"])
def test_a_line_that_is_no_entry_is_skipped(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "history.jsonl"
    History(path).append(entry(1))
    with path.open("ab") as file:
        file.write(garbage)
    History(path).append(entry(2))
    assert at(History(path).newest(9)) == [2.0, 1.0]


def test_the_history_is_bounded_and_the_newest_part_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 2000)
    path = tmp_path / "history.jsonl"
    for n in range(100):
        History(path).append(entry(n))
    kept = at(History(path).newest(1000))
    assert kept == [float(n) for n in range(99, 99 - len(kept), -1)]
    assert len(kept) >= 10
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4000


def test_a_history_that_cannot_be_written_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    History(tmp_path / "file" / "history.jsonl").append(entry(1))
    assert "cannot be written" in caplog.text
    assert "release-1" in caplog.text
    assert History(tmp_path / "file" / "history.jsonl").newest(1) == ()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_was_appended_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    child = os.fork()
    if not child:
        History(path).append(entry(1))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert at(History(path).newest(1)) == [1.0]

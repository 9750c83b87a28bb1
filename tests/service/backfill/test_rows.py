import gzip
from pathlib import Path

import pytest

from service.backfill.rows import Row, event_id, open_events
from service.errors import SetupInvalid

CSV = "user_id,item_id,event_type,timestamp,session_id,value,price\n"
BOUGHT = {
    "event_type": "purchase",
    "user_id": "0042",
    "item_id": "85123A",
    "timestamp": 1700000000,
    "value": 3,
}


def rows(path: Path) -> list[Row]:
    with open_events(path) as file:
        return list(file.rows())


@pytest.mark.parametrize("packed", [False, True])
def test_the_common_format_is_read(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "events.csv"
    text = (CSV + "0042,85123A,purchase,1700000000,o1,3,2.5\n").encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    (row,) = rows(path)
    assert row.line == 2
    assert not row.fault
    assert {**BOUGHT, "event_id": event_id(BOUGHT, "o1")} == row.event


def test_json_lines_are_what_the_service_takes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"event_id": "e", "event_type": "view", "anonymous_id": "a", "item_id": "i",'
        ' "timestamp": "2024-01-01T00:00:00Z"}\n\n[1]\nnonsense\n{"item_id": "i"}\n'
    )
    first, *faulty = rows(path)
    assert first.event["event_id"] == "e"
    assert [(row.line, row.fault.split(":")[0]) for row in faulty] == [
        (3, "no JSON object"),
        (4, "no JSON"),
        (5, "timestamp is missing"),
    ]


def test_a_row_always_gets_the_same_id_and_another_row_another_one() -> None:
    ids = {
        event_id(BOUGHT),
        event_id(BOUGHT, "visit"),
        *(event_id({**BOUGHT, name: "x"}) for name in BOUGHT),
    }
    assert len(ids) == 2 + len(BOUGHT)
    assert event_id(dict(reversed(BOUGHT.items()))) in ids


def test_odd_rows_are_faults_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(CSV.encode() + b'u,"two\nlines",view,1700000000,,,\nu,i\nu,\xff,view,x,,,\n\n')
    read = rows(path)
    assert [(row.line, row.fault) for row in read] == [
        (3, ""),
        (4, "2 cells instead of 7"),
        (5, ""),
    ]
    assert read[2].event["timestamp"] == "x"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "event_type, item_id, timestamp, user_id or anonymous_id missing"),
        (b"user_id,item_id,event_type\n", "timestamp missing"),
        (gzip.compress(CSV.encode() * 999)[:60], "cannot be read on"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    with pytest.raises(SetupInvalid, match=says):
        rows(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SetupInvalid, match=r"cannot be opened: No such file"),
        open_events(tmp_path / "none.csv"),
    ):
        pass

"""Reading a data folder: what is kept, what is dropped and why, and what is refused."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import DataInvalid
from models.interactions import Log, positive, read_log, split_time
from models.recipes import Band, Dataset, load_dataset
from tests.shop import make_shop, write

EVENTS = "user_id,item_id,event_type,timestamp,session_id,value,price"
ITEMS = "item_id,title,category,tags,brand,price,year"
NOW_S = 1_700_000_000
AT_S = 1_600_000_000
GOOD = ("u1", "i1", "purchase", AT_S, "o1", 1, 2.5)


def folder_of(tmp_path: Path, events: Sequence[tuple[object, ...]], header: str = EVENTS) -> Path:
    write(tmp_path / "events.csv", header, events)
    items = [
        ("i1", "Red lamp", "lamps", "", "", "", ""),
        ("i2", "Chair", "", "a|b", "m", 9.5, 1999),
    ]
    write(tmp_path / "items.csv", ITEMS, items)
    return tmp_path


def read(folder: Path, dataset: Dataset | None = None) -> Log:
    return read_log(folder, dataset or Dataset("test"), NOW_S)


def test_a_shop_reads_as_it_was_written(tmp_path: Path) -> None:
    log = read(make_shop(tmp_path))
    assert (log.n, len(log.users), log.items.n, log.drops) == (1440, 60, 40, ())
    assert log.order.max() + 1 == 480
    assert (np.diff(log.at_s) >= 0).all()
    assert log.countries[log.users.index("u3")] == "Spain"
    assert log.items.ids == tuple(sorted(log.items.ids))
    assert log.items.tags[1] == ("home", "gift")
    assert positive(log).all()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("", "i1", "purchase", AT_S, "", "", ""), "no user_id"),
        (("u" * 257, "i1", "purchase", AT_S, "", "", ""), "256 characters"),
        (("u\x071", "i1", "purchase", AT_S, "", "", ""), "control characters"),
        (("u1", "", "purchase", AT_S, "", "", ""), "no item_id"),
        (("u1", "i9", "purchase", AT_S, "", "", ""), "not in the items file"),
        (("u1", "i1", "", AT_S, "", "", ""), "no event type"),
        (("u1", "i1", "impression", AT_S, "", "", ""), "impressions"),
        (("u1", "i1", "adored", AT_S, "", "", ""), "unknown event type"),
        (("u1", "i1", "purchase", "yesterday", "", "", ""), "timestamp is not"),
        (("u1", "i1", "purchase", "", "", "", ""), "timestamp is not"),
        (("u1", "i1", "purchase", 17, "", "", ""), "timestamp is not"),
        (("u1", "i1", "purchase", "nan", "", "", ""), "timestamp is not"),
        (("u1", "i1", "purchase", AT_S, "", "many", ""), "value is not"),
        (("u1", "i1", "purchase", AT_S, "", "", "-1"), "price is not"),
        (("u1", "i1", "purchase", NOW_S + 60, "", "", ""), "in the future"),
        (GOOD, "repeat of an earlier row"),
        (("u1", "i1", "purchase"), "wrong number of fields"),
    ],
)
def test_a_bad_row_is_counted_with_its_reason(
    tmp_path: Path, row: tuple[object, ...], reason: str
) -> None:
    log = read(folder_of(tmp_path, [GOOD, row]))
    (drop,) = log.drops
    assert reason in drop.reason
    assert drop.count == 1
    assert drop.example
    assert (log.n, log.rows_read) == (1, 2)


def test_every_row_is_either_kept_or_dropped(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    users, items = ["u1", "u2", ""], ["i1", "i2", "i9"]
    times = [str(AT_S), str(AT_S + 1), "x", str(NOW_S + 9)]
    kinds, sessions = ["purchase", "view", "?"], ["", "o1"]
    rows = [
        (*(str(rng.choice(column)) for column in (users, items, kinds, times, sessions)), "", "")
        for _ in range(500)
    ]
    log = read(folder_of(tmp_path, [*rows, GOOD]))
    assert log.n + sum(drop.count for drop in log.drops) == 501


def test_ids_stay_text(tmp_path: Path) -> None:
    write(tmp_path / "events.csv", EVENTS, [("007", "01", "view", AT_S, "", "", "")])
    write(tmp_path / "items.csv", "item_id,title", [("01", "One"), ("1", "Another")])
    log = read(tmp_path)
    assert log.users == ("007",)
    assert log.items.ids[log.item[0]] == "01"


def test_parquet_and_csv_give_the_same_log(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "csv")
    other = tmp_path / "parquet"
    other.mkdir()
    log = read(shop)
    columns = {
        "user_id": [log.users[user] for user in log.user],
        "item_id": pa.array([log.items.ids[item] for item in log.item]).dictionary_encode(),
        "event_type": ["purchase"] * log.n,
        "timestamp": pa.array(log.at_s * 1000).cast(pa.timestamp("ms", tz="UTC")),
        "session_id": [str(order) for order in log.order],
        "value": log.value,
        "price": log.price,
    }
    pq.write_table(pa.table(columns), other / "events.parquet")
    (other / "items.csv.gz").write_bytes((shop / "items.csv.gz").read_bytes())
    again = read(other)
    for name in ("user", "item", "action", "at_s", "order", "price"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))


def test_values_choose_the_action_by_their_band(tmp_path: Path) -> None:
    bands = (Band(8, "purchase"), Band(6, "click"), Band(0, "dislike"))
    ratings = [10, 8, 7.5, 6, 0, "", -1]
    events = [("u1", "i1", "rate", AT_S + i, "", value, "") for i, value in enumerate(ratings)]
    log = read(folder_of(tmp_path, events), Dataset("films", {"rate": bands}))
    assert log.action.tolist() == [0, 0, 2, 2, 5]
    assert positive(log).tolist() == [True, True, True, True, False]
    assert log.drops[0].count == 2


def test_orders_are_sessions_or_end_after_an_hour(tmp_path: Path) -> None:
    times = [0, 3599, 3599 + 3600, 20_000, 20_000]
    events = [("u1", "i1", "view", AT_S + at, "", i, "") for i, at in enumerate(times[:-1])]
    visit = ("u1", "i2", "view", AT_S + times[-1], "visit", "", "")
    log = read(folder_of(tmp_path, [*events, visit]))
    assert log.order.tolist() == [0, 0, 1, 2, 3]


def test_a_file_in_milliseconds_is_understood_and_said_so(tmp_path: Path) -> None:
    log = read(folder_of(tmp_path, [("u1", "i1", "view", AT_S * 1000 + 7, "", "", "")]))
    assert log.at_s.tolist() == [AT_S]
    assert "milliseconds" in log.notes[0]


@pytest.mark.parametrize(
    ("times", "sentence"),
    [([AT_S, AT_S * 1000], "mixes milliseconds"), ([AT_S * 10**6], "finer than milliseconds")],
)
def test_ambiguous_units_are_refused(tmp_path: Path, times: list[int], sentence: str) -> None:
    events = [("u1", "i1", "view", at, "", "", "") for at in times]
    with pytest.raises(DataInvalid, match=sentence):
        read(folder_of(tmp_path, events))


def test_an_unknown_column_is_named_with_its_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [(*GOOD, "x")], EVENTS + ",mood")
    with pytest.raises(DataInvalid, match=r"events\.csv has the unknown column 'mood'"):
        read(folder)


def test_a_missing_column_is_named_with_its_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [("u1", "i1", "view")], "user_id,item_id,event_type")
    with pytest.raises(DataInvalid, match=r"events\.csv lacks the column 'timestamp'"):
        read(folder)


def test_two_forms_of_one_table_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [GOOD])
    (folder / "events.csv.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(DataInvalid, match="keep one of them"):
        read(folder)


def test_a_missing_folder_and_a_missing_file_say_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="not a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataInvalid, match=r"no items\.csv\.gz"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda whole: whole[: len(whole) // 2], "truncated"),
        (lambda whole: whole[:100] + bytes([whole[100] ^ 255]) + whole[101:], "damaged"),
        (lambda whole: b"user_id,item_id\n", "not gzip"),
        (lambda whole: gzip.compress(b""), "is empty"),
        (lambda whole: gzip.compress(EVENTS.encode() + b"\n"), "no rows"),
        (lambda whole: gzip.compress(EVENTS.encode() + b"\nu,i\xe9,view,1,,,\n"), "not UTF-8"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, damage, sentence: str) -> None:  # type: ignore[no-untyped-def]
    path = make_shop(tmp_path) / "events.csv.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataInvalid, match=sentence) as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)


def test_a_parquet_file_that_is_none_is_named(tmp_path: Path) -> None:
    make_shop(tmp_path)
    (tmp_path / "events.csv.gz").unlink()
    (tmp_path / "events.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataInvalid, match=r"events\.parquet cannot be read"):
        read(tmp_path)


def test_a_log_of_bad_rows_only_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="all 1 rows were dropped, most because: no user_id"):
        read(folder_of(tmp_path, [("", "i1", "view", AT_S, "", "", "")]))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("i1", "Again", "", "", "", "", ""), "twice"),
        (("", "Nameless", "", "", "", "", ""), "1 to 256 characters"),
        (("i3", "Dear", "", "", "", "dear", ""), "price 'dear' is not a number"),
        (("i3", "Dear"), "too few or too many fields"),
    ],
)
def test_a_bad_item_is_refused(tmp_path: Path, row: tuple[object, ...], sentence: str) -> None:
    folder = folder_of(tmp_path, [GOOD])
    write(folder / "items.csv", ITEMS, [("i1", "Lamp", "", "", "", "", ""), row])
    with pytest.raises(DataInvalid, match=sentence):
        read(folder)


def test_unknown_labels_of_an_item_are_unknown_not_empty(tmp_path: Path) -> None:
    items = read(folder_of(tmp_path, [GOOD])).items
    assert items.categories == ("lamps", "unknown")
    assert items.years.tolist() == [0, 1999]
    assert np.isnan(items.prices[0])
    assert items.tags == ((), ("a", "b"))


def test_the_split_leaves_the_last_fifth_behind_it(tmp_path: Path) -> None:
    log = read(make_shop(tmp_path))
    assert (log.at_s < split_time(log)).mean() == pytest.approx(0.8, abs=0.01)


def test_a_log_before_an_instant_knows_only_its_users_and_all_items(tmp_path: Path) -> None:
    make_shop(tmp_path)
    log = read_log(tmp_path, load_dataset(tmp_path))
    early = log.before(split_time(log, 0.3))
    assert 0 < early.n < log.n
    assert early.at_s.max() < split_time(log, 0.3)
    assert early.items is log.items
    assert {early.users[i] for i in early.user} == set(early.users)
    assert [early.users[i] for i in early.user] == [log.users[i] for i in log.user[: early.n]]

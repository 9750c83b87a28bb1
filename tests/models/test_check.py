"""The data report, and what it says about too little data."""

import argparse
from pathlib import Path

import pytest

from models.check import advised_dim, check, command, configure, lines, shortfalls
from models.interactions import read_log
from models.recipes import Dataset
from tests.shop import make_shop


@pytest.mark.parametrize(
    ("n_items", "dim"),
    [(1, 64), (99_999, 64), (100_000, 128), (10_000_000, 128), (10_000_001, 256)],
)
def test_the_advised_dimension_grows_with_the_catalogue(n_items: int, dim: int) -> None:
    assert advised_dim(n_items) == dim


def test_the_report_counts_everything(tmp_path: Path) -> None:
    log = read_log(make_shop(tmp_path), Dataset("shop"))
    report = check(log, now_s=float(log.at_s[-1]) + 2 * 86_400, listed_users=65)
    assert report.age_days == 2
    assert report.user_bands == {"0": 5, "1-4": 0, "5-49": 60, "50+": 0}
    assert sum(report.item_bands.values()) == 40
    assert report.actions == {"purchase": 1440}
    assert report.coverage["tags"] == report.coverage["country"] == 1


def test_a_small_shop_is_told_what_it_lacks(tmp_path: Path) -> None:
    log = read_log(make_shop(tmp_path), Dataset("shop"))
    assert shortfalls(log) == (
        "1,440 interactions, at least 10,000 are needed",
        "60 users, at least 1,000 are needed",
        "40 items, at least 500 are needed",
    )
    text = "\n".join(lines(check(log, 2e9)))
    assert "too little to train two towers" in text
    assert "content and popularity only" in text


def test_the_command_prints_what_was_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_shop(tmp_path)
    path = tmp_path / "items.csv.gz"
    (tmp_path / "events.csv.gz").unlink()
    (tmp_path / "events.csv").write_text(
        "user_id,item_id,event_type,timestamp\nu1,i01,view,1600000000\nu1,i99,view,1600000000\n"
    )
    parser = argparse.ArgumentParser()
    configure(parser)
    assert command(parser.parse_args([str(tmp_path)])) == 0
    said = capsys.readouterr().out
    assert "2 read = 1 kept + 1 dropped" in said
    assert "item not in the items file; first: user_id=u1 item_id=i99" in said
    assert path.is_file()

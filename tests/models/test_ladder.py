"""The static lists of a release."""

from pathlib import Path

import numpy as np
import pytest

from models.building.ladder import DAY_S, make_ladder, recent_popularity
from models.interactions import Log, read_log
from models.recipes import Dataset
from service.domain.ladders import ALL, category_scope, country_scope

NOW_S = 1_700_000_000
EVENTS = "user_id,item_id,event_type,timestamp,session_id,value,price\n"
ITEMS = "item_id,title,category\n"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """`old` was sold often long ago, `steady` every day, `hot` three times yesterday."""
    rows = [("ann", "old", "purchase", 200 + i) for i in range(40)]
    rows += [("ann", "steady", "purchase", day) for day in range(1, 29)]
    rows += [("ben", "hot", "purchase", 1)] * 1 + [
        ("cat", "hot", "click", 1),
        ("dan", "hot", "view", 1),
    ]
    rows += [("ben", "bad", "return", 1)]
    rows.sort(key=lambda row: -row[3])
    lines = [f"{u},{i},{t},{NOW_S - d * int(DAY_S)},,1,1\n" for u, i, t, d in rows]
    (tmp_path / "events.csv").write_text(EVENTS + "".join(lines))
    names = [
        f"{i},{i},{'toys' if i == 'hot' else 'books'}\n"
        for i in ("bad", "hot", "new", "old", "steady")
    ]
    (tmp_path / "items.csv").write_text(ITEMS + "".join(names))
    (tmp_path / "users.csv").write_text("user_id,country\nann,France\nben,Germany\n")
    return read_log(tmp_path, Dataset("test"), now_s=NOW_S)


def names(log: Log, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[str]:
    return [log.items.ids[row] for row in rows]


def test_recent_sales_weigh_more_and_returns_nothing(log: Log) -> None:
    ladder = make_ladder(log, NOW_S)
    assert names(log, ladder.popular_in(ALL)) == ["steady", "hot", "old"]


def test_what_stands_out_from_its_own_past_is_trending(log: Log) -> None:
    assert names(log, make_ladder(log, NOW_S).trending_in(ALL))[0] == "hot"


def test_categories_and_larger_countries_have_lists(log: Log) -> None:
    ladder = make_ladder(log, NOW_S)
    assert names(log, ladder.popular_in(category_scope("toys"))) == ["hot"]
    assert names(log, ladder.popular_in(country_scope("France"))) == ["steady", "old"]
    assert country_scope("Germany") not in ladder.popular


def test_nothing_after_the_instant_counts(log: Log) -> None:
    ladder = make_ladder(log, NOW_S - 100 * DAY_S)
    assert names(log, ladder.popular_in(ALL)) == ["old"]
    assert recent_popularity(log, NOW_S - 100 * DAY_S).sum() == pytest.approx(1.0)

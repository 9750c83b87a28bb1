"""Item features: hashing, buckets, and counts that never see the day they are asked for."""

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.interactions import read_log
from models.networks.item_features import AsOf, prices_before, vocabulary
from models.recipes import Dataset
from service.towers.item_features import (
    TITLE_WORDS,
    ItemColumns,
    ItemVocabulary,
    as_of_features,
    item_numbers,
    title_ids,
)
from tests.shop import make_shop

DAY_S = 86_400
KNOWN = ItemVocabulary(("lamps",), ("m",), ("a", "b"), (1990, 2000), (1.0, 2.0))


def columns_of(**changes: object) -> ItemColumns:
    values = {
        "titles": ["Red lamp", ""],
        "categories": ["lamps", "new kind"],
        "sellers": ["m", ""],
        "tags": [("a", "b", "new"), ()],
        "years": [1996, 0],
        "prices": [1.5, float("nan")],
    }
    return ItemColumns(**(values | changes))  # type: ignore[arg-type]


def test_a_title_is_words_pairs_and_letter_groups() -> None:
    (words, weight), (letters, _) = title_ids("RED-Lamp")
    assert words == [crc32(text) % 4096 for text in (b"red", b"lamp", b"red lamp")]
    assert weight == pytest.approx(0.7 / 3**0.5)
    assert letters[0] == TITLE_WORDS + crc32(b"<re") % 8192
    assert len(letters) == 3 + 2 + 4 + 3


@pytest.mark.parametrize(("one", "same"), [("Fantômas", "fantomas"), ("ЛАМПА!", "лампа")])
def test_accents_and_case_do_not_matter_in_any_script(one: str, same: str) -> None:
    assert title_ids(one) == title_ids(same)
    assert title_ids(one)[0][0]


def test_unknown_labels_get_number_zero() -> None:
    numbers = item_numbers(KNOWN, columns_of())
    assert numbers.category.tolist() == [1, 0]
    assert numbers.seller.tolist() == [1, 0]
    assert numbers.year.tolist() == [2, 0]
    assert numbers.price.tolist() == [2, 0]
    assert numbers.tags.ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("price", "bucket"), [(0.0, 1), (0.99, 1), (1.0, 2), (2.0, 3), (1e9, 3), (float("nan"), 0)]
)
def test_a_price_falls_into_its_bucket(price: float, bucket: int) -> None:
    assert item_numbers(KNOWN, columns_of(prices=[price, 0.0])).price[0] == bucket


@pytest.mark.parametrize(("year", "number"), [(0, 0), (1900, 1), (1995, 1), (1996, 2), (2030, 2)])
def test_an_unseen_year_counts_as_the_nearest(year: int, number: int) -> None:
    assert item_numbers(KNOWN, columns_of(years=[year, 0])).year[0] == number


def test_bags_give_the_same_sums_picked_and_padded() -> None:
    bags = item_numbers(KNOWN, columns_of()).title
    ids, weights = bags.padded(40)
    assert weights[1].sum() == 0
    again = bags.take(np.array([1, 0, 0]))
    np.testing.assert_array_equal(again.take(np.array([1])).ids, bags.ids)
    assert ids[0][weights[0] > 0].tolist() == bags.ids.tolist()
    assert bags.padded(2)[0].shape == (2, 2)


def test_the_vocabulary_survives_json() -> None:
    assert ItemVocabulary.from_json(KNOWN.to_json()) == KNOWN


def test_as_of_features_by_hand() -> None:
    shares = np.array([[0.0], [0.5], [0.5], [0.25], [0.1]])
    (row,) = as_of_features(shares, np.array([9.0]))
    logs = np.log1p(1e4 * shares[:, 0])
    expected = [*logs, logs[1] - logs[3], np.log(10), 0]
    np.testing.assert_allclose(row, 0.5 * np.array(expected), rtol=1e-6)
    (never,) = as_of_features(np.zeros((5, 1)), np.array([np.nan]))
    assert never.tolist() == [0, 0, 0, 0, 0, 0, -0.5, 0.5]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_counts_never_contain_an_event_of_the_day_or_later(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 60))
    days = np.sort(np.array(data.draw(st.lists(st.integers(0, 40), min_size=n, max_size=n))))
    items = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), np.int32)
    good = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    day = data.draw(st.integers(0, 41))
    earlier = days < day
    whole = AsOf(5, days, items, good).features(day * DAY_S + 3600)
    cut = AsOf(5, days[earlier], items[earlier], good[earlier]).features(day * DAY_S)
    np.testing.assert_array_equal(whole, cut)


def test_prices_are_medians_of_earlier_events_only(tmp_path: Path) -> None:
    log = read_log(make_shop(tmp_path), Dataset("shop"))
    start = int(log.at_s[0])
    assert np.isnan(prices_before(log, start)).all()
    prices = prices_before(log, int(log.at_s[-1]) + 1)
    np.testing.assert_allclose(prices, log.items.prices)
    known = vocabulary(log, prices)
    assert len(known.price_edges) == 11
    assert known.tags == ("gift", "home")

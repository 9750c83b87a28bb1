"""The start of the id table: what is bought together starts close together."""

from pathlib import Path

import numpy as np
import pytest

from models.interactions import Log, read_log
from models.recipes import Dataset, Recipe
from models.training.examples import Stream, make_examples
from models.training.id_start import LENGTH, together
from tests.shop import make_shop, write


def start_of(log: Log, dim: int, until_s: int = 2**31) -> np.ndarray:
    examples = make_examples(log, Stream.of(log, until_s), Recipe(), until_s)
    return together(examples, log.items.n, dim, seed=1)


def test_items_of_one_taste_start_together(tmp_path: Path) -> None:
    start = start_of(read_log(make_shop(tmp_path), Dataset("shop")), 8)
    np.testing.assert_allclose(np.linalg.norm(start, axis=1), LENGTH, rtol=1e-5)
    cosine = start @ start.T / LENGTH**2
    even = np.arange(40) % 2 == 0
    assert cosine[np.ix_(even, even)].mean() > 0.2
    assert abs(cosine[np.ix_(even, ~even)]).max() < 0.01


@pytest.mark.parametrize("items", [["i0"], ["i0", "i1"]])
def test_a_tiny_log_starts_finite(tmp_path: Path, items: list[str]) -> None:
    rows = [("u", item, "purchase", 1_600_000_000) for item in items]
    write(tmp_path / "events.csv", "user_id,item_id,event_type,timestamp", rows)
    write(tmp_path / "items.csv", "item_id,title", [(f"i{i}", "An item") for i in range(3)])
    start = start_of(read_log(tmp_path, Dataset("tiny")), 4)
    assert start.shape == (3, 4)
    assert np.isfinite(start).all()
    assert not start[2].any()

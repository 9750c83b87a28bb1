"""A filter that few items pass costs nobody a full list, on whichever worker it is asked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from service.releases.loader import load_release
from tests.journeys.running import Running, item_ids
from tests.processes import served
from tests.releases import make_release
from tests.workers import a_caller_each

pytestmark = pytest.mark.redis
N_ITEMS, K = 20_000, 20
CATEGORY = "toys"
Likes = list[dict[str, str]]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("large"), n_items=N_ITEMS)


@pytest.fixture(scope="module")
def workers(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    with (
        served(release.parent, tmp_path_factory.mktemp("family")) as family,
        a_caller_each(family) as callers,
    ):
        yield callers


@pytest.fixture(scope="module")
def narrow(release: Path) -> tuple[dict[str, object], set[str]]:
    """A filter that one item in a thousand passes, and those items: the cheapest toys."""
    catalogue = load_release(release).catalogue
    code = list(catalogue.category_names).index(CATEGORY)
    toys = np.flatnonzero(np.asarray(catalogue.categories) == code)
    prices = np.asarray(catalogue.prices)[toys]
    most = float(np.sort(prices)[K - 1])
    allowed = {catalogue.item_ids[row] for row in toys[prices <= np.float32(most)]}
    assert K <= len(allowed) <= 0.0012 * N_ITEMS
    return {"category": {"any": [CATEGORY]}, "price": {"max": most}}, allowed


@pytest.mark.parametrize("taste", [None, "toys", "books"])
def test_a_filter_that_one_item_in_a_thousand_passes_still_gives_a_full_list(
    taste: str | None,
    workers: list[Running],
    narrow: tuple[dict[str, object], set[str]],
    release: Path,
) -> None:
    filters, allowed = narrow
    asked = {"k": K, "filters": filters, "recent_actions": likes(release, taste), "explain": True}
    answers = [worker.recommend(**asked) for _ in range(5) for worker in workers]
    for answer in answers:
        assert len(set(item_ids(answer))) == K
        assert set(item_ids(answer)) <= allowed
        assert answer["degraded"] == {"is_degraded": False, "reasons": []}


def test_items_like_an_item_are_as_many_under_such_a_filter(
    workers: list[Running], narrow: tuple[dict[str, object], set[str]]
) -> None:
    filters, allowed = narrow
    asked = {"item_id": "item-0", "k": K, "filters": filters}
    for worker in workers:
        answer = worker.http.post("/v1/similar", json=asked).json()
        assert len(set(item_ids(answer))) == K
        assert set(item_ids(answer)) <= allowed


def likes(release: Path, category: str | None) -> Likes:
    """What somebody did who likes a category; nothing without one."""
    if category is None:
        return []
    catalogue = load_release(release).catalogue
    code = list(catalogue.category_names).index(category)
    rows = np.flatnonzero(np.asarray(catalogue.categories) == code)[-10:]
    return [{"item_id": catalogue.item_ids[row], "event_type": "click"} for row in rows]

"""One training step: who competes, and that the sampled softmax estimates the full one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.interactions import Log, read_log
from models.networks.item_features import AsOf
from models.networks.known import Known
from models.recipes import Dataset, Recipe
from models.towers import ItemFacts, Towers
from models.training.batches import Batch, make_batch
from models.training.examples import Stream, make_examples
from models.training.steps import Losses
from tests.shop import make_shop

RECIPE = Recipe(dim=8, hidden=8, id_dropout=0.0, threads=1, sampled_negatives=200_000)
UNTIL_S = 1_603_000_000
DAY_S = 86_400


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return read_log(make_shop(tmp_path_factory.mktemp("shop")), Dataset("shop"))


def losses_of(log: Log, recipe: Recipe, until_s: int = UNTIL_S) -> tuple[Losses, Towers]:
    known = Known.of(log, until_s)
    torch.manual_seed(1)
    facts = ItemFacts.of(log, known, until_s)
    return Losses(recipe, log, facts, until_s), Towers(recipe, known)


def first_batch(log: Log, until_s: int = UNTIL_S) -> Batch:
    stream = Stream.of(log, until_s)
    examples = make_examples(log, stream, RECIPE, until_s)
    picked = np.flatnonzero(examples.bucket == examples.bucket[0])
    return make_batch(examples, stream, RECIPE, picked, np.random.default_rng(1))


def test_a_large_sample_gives_the_losses_of_the_full_softmax(shop: Log) -> None:
    found = []
    for softmax in ("full", "sampled"):
        losses, towers = losses_of(shop, replace(RECIPE, softmax=softmax))
        with torch.no_grad():
            found.append(losses.of(towers, first_batch(shop), np.random.default_rng(2)))
    for full, sampled in zip(*found, strict=True):
        assert sampled.item() == pytest.approx(full.item(), rel=5e-3)


@pytest.mark.parametrize(("most", "sampled"), [(39, True), (40, False)])
def test_a_large_catalogue_is_sampled(shop: Log, most: int, sampled: bool) -> None:
    losses, _ = losses_of(shop, replace(RECIPE, full_softmax_max_items=most))
    assert losses.sampled is sampled


def test_an_item_competes_once_it_was_seen(tmp_path: Path) -> None:
    log = read_log(make_shop(tmp_path), Dataset("shop"))
    late = log.items.n - 1
    keep = (log.item != late) | (log.at_s > log.at_s[0] + 20 * DAY_S)
    columns = ("user", "item", "action", "at_s", "order", "value", "price")
    log = replace(log, **{name: getattr(log, name)[keep] for name in columns})
    first_day = int(AsOf.of(log).first_day[late])
    bucket = first_day // RECIPE.bucket_days
    losses, _ = losses_of(log, RECIPE)
    assert not losses.allowed(bucket - 1)[late]
    assert losses.allowed(bucket)[late]
    always, _ = losses_of(log, replace(RECIPE, negatives="seen_in_training"))
    assert always.allowed(bucket - 1)[late]
    before, _ = losses_of(log, replace(RECIPE, negatives="seen_in_training"), first_day * DAY_S)
    assert not before.allowed(bucket)[late]


def test_training_sees_no_event_after_its_end(shop: Log) -> None:
    early = replace(
        shop,
        **{
            name: getattr(shop, name)[shop.at_s < UNTIL_S]
            for name in ("user", "item", "action", "at_s", "order", "value", "price")
        },
    )
    found = []
    for log in (shop, early):
        losses, towers = losses_of(log, RECIPE)
        with torch.no_grad():
            found.append(losses.of(towers, first_batch(log), np.random.default_rng(2)))
    assert [part.item() for part in found[0]] == [part.item() for part in found[1]]
    assert Known.of(shop, UNTIL_S) == Known.of(early, UNTIL_S)

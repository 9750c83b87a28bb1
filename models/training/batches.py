"""Batches of training examples, drawn anew each epoch from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.networks.encoders import GENERIC_NEGATIVE, GENERIC_POSITIVE
from models.recipes import Recipe
from models.training.examples import Examples, Stream
from service.domain.actions import ACTIONS, NEGATIVE
from service.towers.features import History, history_inputs

Ints = NDArray[np.int64]

HALF_ORDER_LINES = 10
"""At most so many lines of the running order are moved to the history."""

RUNNING_AGE_S = (10.0, 120.0)
"""How long ago the moved lines happened: about a minute."""

GENERIC = np.array(
    [0, *(GENERIC_NEGATIVE if name in NEGATIVE else GENERIC_POSITIVE for name in ACTIONS)]
)
"""Type number -> the generic type of its sign."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of one time bucket.

    Attributes:
        bucket: number of the bucket.
        item_rows, action_types: int64 [B, H]; ages_s: float32 [B, H]; 0 where padded.
        example, item: int64 [P], targets as pairs; share: float32 [P], sum 1 per example.
        anchor: int64 [B], a random item of the targets, for the item-to-item loss.
        weight: float32 [B].
    """

    bucket: int
    item_rows: Ints
    action_types: Ints
    ages_s: NDArray[np.float32]
    example: Ints
    item: Ints
    share: NDArray[np.float32]
    anchor: Ints
    weight: NDArray[np.float32]


def epoch_batches(
    examples: Examples, stream: Stream, recipe: Recipe, rng: np.random.Generator
) -> Iterator[Batch]:
    """Go through all examples once; a batch never mixes time buckets, their order is shuffled."""
    for picked in plan(examples.bucket, recipe.batch_size, rng):
        yield make_batch(examples, stream, recipe, picked, rng)


def plan(bucket: Ints, size: int, rng: np.random.Generator) -> list[Ints]:
    """Split the examples into shuffled batches of one bucket each, at most `size` long."""
    shuffled = rng.permutation(len(bucket))
    shuffled = shuffled[np.argsort(bucket[shuffled], kind="stable")]
    edges = np.flatnonzero(np.diff(bucket[shuffled])) + 1
    batches = [
        part[i : i + size] for part in np.split(shuffled, edges) for i in range(0, len(part), size)
    ]
    return [batches[i] for i in rng.permutation(len(batches))]


def count_batches(bucket: Ints, size: int) -> int:
    """Return how many batches an epoch has."""
    _, counts = np.unique(bucket, return_counts=True)
    return int(np.ceil(counts / size).sum())


def make_batch(
    examples: Examples, stream: Stream, recipe: Recipe, picked: Ints, rng: np.random.Generator
) -> Batch:
    """Build the arrays of one batch: histories, half-filled orders, type dropout, targets."""
    half = rng.random(len(picked)) < recipe.half_order_share
    histories, example, item, share = [], [], [], []
    for place, i in enumerate(picked.tolist()):
        low, high = int(examples.starts[i]), int(examples.starts[i + 1])
        history = stream.history(examples.user[i], int(examples.before[i]), recipe.history_length)
        lines = np.arange(low, high)
        if half[place] and examples.own[i] > 1:
            moved = _moved(int(examples.own[i]), rng) + low
            history = _extended(history, examples, moved, rng)
            lines = np.delete(lines, moved - low)
        histories.append(history)
        example.append(np.full(len(lines), place))
        item.append(examples.items[lines])
        share.append(examples.shares[lines] / examples.shares[lines].sum())
    now_s = examples.at_s[picked].astype(np.float64)
    inputs = history_inputs(histories, now_s, recipe.history_length)
    return Batch(
        bucket=int(examples.bucket[picked[0]]),
        item_rows=inputs["item_rows"],
        action_types=_without_types(inputs["action_types"], recipe.type_dropout, rng),
        ages_s=inputs["ages_s"],
        example=np.concatenate(example),
        item=np.concatenate(item),
        share=np.concatenate(share).astype(np.float32),
        anchor=np.array([items[rng.integers(len(items))] for items in item]),
        weight=examples.weight[picked],
    )


def _moved(own: int, rng: np.random.Generator) -> Ints:
    """Draw which lines of an order with `own` lines are moved to the history; one stays behind."""
    count = rng.integers(1, min(own - 1, HALF_ORDER_LINES) + 1)
    return rng.permutation(own)[:count]


def _extended(
    history: History, examples: Examples, moved: Ints, rng: np.random.Generator
) -> History:
    """Return a history that ends with lines of the running order, about a minute old."""
    i = int(np.searchsorted(examples.starts, moved[0], side="right")) - 1
    ages = np.sort(rng.uniform(*RUNNING_AGE_S, len(moved)))[::-1]
    return History(
        np.concatenate([history.rows, examples.items[moved]]),
        np.concatenate([history.action_types, examples.own_actions[moved]]),
        np.concatenate([history.at_s, examples.at_s[i] - ages]),
    )


def _without_types(types: Ints, share: float, rng: np.random.Generator) -> Ints:
    """Replace a share of the action types by the generic type of their sign."""
    dropped = rng.random(types.shape) < share
    return np.where(dropped, GENERIC[types], types)

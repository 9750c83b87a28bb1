"""One step of training: from a batch to its loss."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.interactions import Log, positive
from models.losses import Pairs, softmax_loss
from models.networks.item_features import DAY_S
from models.networks.item_tower import ItemBatch
from models.recipes import Recipe
from models.towers import ItemFacts, Towers
from models.training.batches import Batch

CACHE_BYTES = 256 << 20

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Picked:
    """The items of a step; all positions refer to these rows, None for the whole catalogue.

    Attributes:
        counts: float32 [n], how often each competes, see `models.losses.softmax_loss`.
    """

    items: ItemBatch
    rows: Ints | None
    counts: Tensor

    def place(self, rows: Ints) -> Tensor:
        """Return the position of catalogue rows among the items of the step."""
        found = rows if self.rows is None else np.searchsorted(self.rows, rows)
        return torch.from_numpy(found)


class Losses:
    """Computes losses on one training log.

    Attributes:
        sampled: whether the catalogue is too large for the full softmax.
    """

    def __init__(self, recipe: Recipe, log: Log, facts: ItemFacts, until_s: int) -> None:
        self.recipe, self.facts, n = recipe, facts, log.items.n
        wanted = recipe.softmax
        self.sampled = wanted == "sampled" or (
            wanted == "auto" and n > recipe.full_softmax_max_items
        )
        self._all = None if self.sampled else ItemBatch.of(facts.numbers)
        use = positive(log) & (log.at_s < until_s)
        counts = np.bincount(log.item[use], minlength=n)
        share = (1.0 + counts) ** recipe.popularity_power * (facts.id_rows >= 0)
        self._share = share / share.sum()
        self._ladder = np.cumsum(self._share)
        kept = max(1, CACHE_BYTES // (n * 32))
        self._as_of = lru_cache(maxsize=kept)(self._features)

    def of(self, towers: Towers, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the two losses of a batch, weighted means: user to item, item to item."""
        picked = self._pick(batch, rng)
        vectors = self._vectors(towers, batch, picked, rng)
        rows = np.maximum(batch.item_rows - 1, 0)
        history = torch.where(
            torch.from_numpy(batch.item_rows > 0).unsqueeze(-1),
            functional.embedding(picked.place(rows), vectors),
            torch.zeros(()),
        )
        user = towers.user(
            history, torch.from_numpy(batch.action_types), torch.from_numpy(batch.ages_s)
        )
        weight = torch.from_numpy(batch.weight)
        pairs = _pairs(batch.example, picked.place(batch.item), batch.share)
        cold = 1 / self.recipe.temperature
        to_item = (weight * softmax_loss(user * cold, vectors, pairs, picked.counts)).mean()
        if not self.recipe.item_to_item:
            return to_item, torch.zeros(())
        anchor = picked.place(batch.anchor)
        loss = softmax_loss(
            vectors[anchor] * cold, vectors, _rest(batch, picked), picked.counts, anchor
        )
        return to_item, (weight * loss).mean()

    def _features(self, bucket: int) -> NDArray[np.float32]:
        return self.facts.as_of.features(bucket * self.recipe.bucket_days * DAY_S)

    def allowed(self, bucket: int) -> NDArray[np.bool_]:
        """Return bool [n]: items that compete; see `Recipe.negatives`."""
        if self.recipe.negatives == "seen_in_training":
            return self.facts.id_rows >= 0
        return self.facts.as_of.first_day < (bucket + 1) * self.recipe.bucket_days

    def _pick(self, batch: Batch, rng: np.random.Generator) -> Picked:
        allowed = self.allowed(batch.bucket)
        if self._all is not None:
            return Picked(self._all, None, torch.from_numpy(allowed.astype(np.float32)))
        size = self.recipe.sampled_negatives
        drawn = np.searchsorted(self._ladder, rng.random(size) * self._ladder[-1], side="right")
        drawn = drawn[allowed[drawn]]
        history = np.maximum(batch.item_rows.ravel() - 1, 0)
        rows = np.unique(np.concatenate([drawn, batch.item, history])).astype(np.int64)
        places = np.searchsorted(rows, drawn)
        counts = np.bincount(places, 1 / (size * self._share[drawn]), minlength=len(rows))
        items = ItemBatch.of(self.facts.numbers, rows)
        return Picked(items, rows, torch.from_numpy(counts.astype(np.float32)))

    def _vectors(
        self, towers: Towers, batch: Batch, picked: Picked, rng: np.random.Generator
    ) -> Tensor:
        as_of, id_rows = self._as_of(batch.bucket), self.facts.id_rows
        if picked.rows is not None:
            as_of, id_rows = as_of[picked.rows], id_rows[picked.rows]
        dropped = rng.random(len(id_rows)) < self.recipe.id_dropout
        kept = torch.from_numpy(np.where(dropped, -1, id_rows))
        vectors: Tensor = towers.item(picked.items, torch.from_numpy(as_of), kept)
        return vectors


def _pairs(example: Ints, item: Tensor, share: NDArray[np.float32]) -> Pairs:
    return Pairs(torch.from_numpy(example), item, torch.from_numpy(share))


def _rest(batch: Batch, picked: Picked) -> Pairs:
    """Return the targets without each example's anchor, their weights adding up to 1 again."""
    rest = batch.item != batch.anchor[batch.example]
    example, share = batch.example[rest], batch.share[rest]
    total = np.bincount(example, share, minlength=len(batch.weight))
    scaled = (share / total[example]).astype(np.float32)
    return _pairs(example, picked.place(batch.item[rest]), scaled)

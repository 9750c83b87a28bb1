"""The item tower: title, labels, price, counts as of a day and the item's own id, as one vector."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from service.towers.item_features import AS_OF_WIDTH, TITLE_SIZE, Bags, ItemNumbers, ItemVocabulary

CATEGORY_WIDTH, SELLER_WIDTH, TAGS_WIDTH, YEAR_WIDTH, PRICE_WIDTH = 16, 16, 16, 8, 8
TITLE_SPREAD, ID_SPREAD, LABEL_SPREAD = 0.3, 0.01, 0.3
"""Standard deviations at the start. A larger one for ids drowns what they learn in few epochs."""

NARROW = 1 << 16
"""Ids below this sort as 16-bit numbers, which numpy does ten times as fast."""


@dataclass(frozen=True, slots=True)
class Bag:
    """Bags of ids as the embedding kernel wants them: ids, weights, start of each bag.

    Attributes:
        turned: the same the other way round, the bags of each id, for the gradient.
    """

    ids: Tensor
    weights: Tensor
    starts: Tensor
    turned: "Bag | None" = None

    @classmethod
    def of(cls, bags: Bags, size: int) -> Self:
        """Take bags over a table of `size` rows."""
        narrow = bags.ids.astype(np.uint16) if size <= NARROW else bags.ids
        order = np.argsort(narrow, kind="stable")
        owner = np.repeat(np.arange(len(bags.starts) - 1), np.diff(bags.starts))
        starts = np.searchsorted(bags.ids[order], np.arange(size))
        turned = cls._of(owner[order], bags.weights[order], starts)
        whole = cls._of(bags.ids, bags.weights, bags.starts[:-1])
        return replace(whole, turned=turned)

    @classmethod
    def _of(
        cls, ids: NDArray[np.int64], weights: NDArray[np.float32], starts: NDArray[np.int64]
    ) -> Self:
        return cls(torch.from_numpy(ids), torch.from_numpy(weights), torch.from_numpy(starts))


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """Content of some items as tensors; `labels` are numbers by name, int64 [n]."""

    title: Bag
    tags: Bag
    labels: dict[str, Tensor]

    @classmethod
    def of(cls, numbers: ItemNumbers, rows: NDArray[np.int64] | None = None) -> "ItemBatch":
        """Take some rows of the catalogue, or all of it."""
        title, tags = numbers.title, numbers.tags
        if rows is not None:
            title, tags = title.take(rows), tags.take(rows)
        pick = slice(None) if rows is None else rows
        labels = {
            "category": numbers.category[pick],
            "price": numbers.price[pick],
            "seller": numbers.seller[pick],
            "year": numbers.year[pick],
        }
        tensors = {name: torch.from_numpy(column) for name, column in labels.items()}
        return cls(Bag.of(title, TITLE_SIZE), Bag.of(tags, numbers.n_tags), tensors)


def unit(vectors: Tensor) -> Tensor:
    """Scale the last dimension to length 1; the floor avoids a division by zero."""
    return vectors / vectors.pow(2).sum(-1, keepdim=True).clamp_min(1e-12).sqrt()


class ContentTower(nn.Module):
    """Everything but the id: content features -> float32 [n, dim], not yet of unit length."""

    def __init__(self, vocabulary: ItemVocabulary, dim: int, hidden: int, as_of: bool) -> None:
        super().__init__()
        sizes = {
            "category": (len(vocabulary.categories), CATEGORY_WIDTH),
            "price": (len(vocabulary.price_edges) + 1, PRICE_WIDTH),
            "seller": (len(vocabulary.sellers), SELLER_WIDTH),
            "year": (len(vocabulary.years), YEAR_WIDTH),
        }
        self.used = [name for name, (count, _) in sizes.items() if count > 1]
        self.title = _table(TITLE_SIZE, dim, TITLE_SPREAD)
        self.labels = nn.ModuleDict()
        for name in self.used:
            count, width = sizes[name]
            self.labels[name] = nn.Embedding.from_pretrained(
                LABEL_SPREAD * torch.randn(count + 1, width), freeze=False
            )
        self.tags = _table(len(vocabulary.tags), TAGS_WIDTH, LABEL_SPREAD)
        self.as_of = as_of
        width = dim + sum(sizes[name][1] for name in self.used)
        width += TAGS_WIDTH * bool(len(vocabulary.tags)) + AS_OF_WIDTH * as_of
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.straight = nn.Linear(AS_OF_WIDTH, dim) if as_of else None

    def forward(self, items: ItemBatch, as_of: Tensor) -> Tensor:
        title = _bag(self.title, items.title)
        tags = _bag(self.tags, items.tags) if len(self.tags) else None
        return self.mix(title, tags, items.labels, as_of)

    def mix(
        self, title: Tensor, tags: Tensor | None, labels: dict[str, Tensor], as_of: Tensor
    ) -> Tensor:
        """Join the parts; title and tags are already summed, float32 [n, width]."""
        parts = [title] + [self.labels[name](labels[name]) for name in self.used]
        parts += [] if tags is None else [tags]
        parts += [as_of] if self.as_of else []
        content: Tensor = self.mlp(torch.cat(parts, dim=-1))
        return content if self.straight is None else content + self.straight(as_of)


class ItemTower(nn.Module):
    """Content plus the item's id: v = unit(content + keep * factor * E[id] + (1 - keep) * oov)."""

    def __init__(self, content: ContentTower, n_ids: int, dim: int, id_factor: float) -> None:
        super().__init__()
        self.content = content
        self.ids = _table(n_ids, dim, ID_SPREAD)
        self.oov = nn.Parameter(torch.zeros(dim))
        self.id_factor = id_factor

    def forward(self, items: ItemBatch, as_of: Tensor, id_rows: Tensor) -> Tensor:
        """Return float32 [n, dim] of unit length.

        Args:
            items: content of n items.
            as_of: float32 [n, 8], see `service.towers.item_features.as_of_features`.
            id_rows: int64 [n], row of the id table, -1 for items without history (or dropped).
        """
        keep = (id_rows >= 0).float().unsqueeze(-1)
        own = functional.embedding(id_rows.clamp_min(0), self.ids)
        content: Tensor = self.content(items, as_of)
        return unit(content + keep * self.id_factor * own + (1 - keep) * self.oov)


class ExportableItemTower(nn.Module):
    """The item tower for items without history, with plain padded inputs, for ONNX.

    Inputs, in this order: title_ids int64 [B, L], title_weights float32 [B, L], tag_ids int64
    [B, K], tag_weights float32 [B, K], category, price, seller, year int64 [B], as_of float32
    [B, 8]. Output: item_vector float32 [B, dim] of unit length.
    """

    INPUTS = (
        "title_ids",
        "title_weights",
        "tag_ids",
        "tag_weights",
        "category",
        "price",
        "seller",
        "year",
        "as_of",
    )

    def __init__(self, tower: ItemTower) -> None:
        super().__init__()
        self.content, self.oov = tower.content, tower.oov

    def forward(self, *inputs: Tensor) -> Tensor:
        named = dict(zip(self.INPUTS, inputs, strict=True))
        title = _padded(self.content.title, named["title_ids"], named["title_weights"])
        has_tags = len(self.content.tags)
        tags = (
            _padded(self.content.tags, named["tag_ids"], named["tag_weights"]) if has_tags else None
        )
        return unit(self.content.mix(title, tags, named, named["as_of"]) + self.oov)


def _table(n: int, width: int, spread: float) -> nn.Parameter:
    return nn.Parameter(spread * torch.randn(n, width))


def _sum(table: Tensor, bag: Bag) -> Tensor:
    return functional.embedding_bag(
        bag.ids, table, bag.starts, mode="sum", per_sample_weights=bag.weights
    )


class _BagSum(torch.autograd.Function):
    """Weighted sums of table rows whose gradient is again such a sum, over the turned bags.

    Ten times as fast as the built-in gradient, which sorts the ids in every step.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, table: Tensor, bag: Bag) -> Tensor:
        ctx.turned = bag.turned  # type: ignore[attr-defined]
        return _sum(table, bag)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum(gradient.contiguous(), ctx.turned), None  # type: ignore[attr-defined]


def _bag(table: Tensor, bag: Bag) -> Tensor:
    summed: Tensor = _BagSum.apply(table, bag)  # type: ignore[no-untyped-call]
    return summed


def _padded(table: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    return (functional.embedding(ids, table) * weights.unsqueeze(-1)).sum(1)

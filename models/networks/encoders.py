"""User towers: from the vectors of the last actions to one vector of unit length.

All take (item_vectors float32 [B, H, dim], action_types int64 [B, H], ages_s float32 [B, H]) and
return `user_vector` float32 [B, dim]. Padding is where the item vector is all zeros. Constants are
buffers and no size is read from a shape, so that the graph exports to ONNX as it is.
"""

import torch
from torch import Tensor, nn

from models.errors import RecipeInvalid
from models.networks.item_tower import unit
from service.domain.actions import ACTIONS, NEGATIVE, STRENGTH

HOUR_S, DAY_S = 3_600.0, 86_400.0
AGE_BORDERS_S = (HOUR_S, *(days * DAY_S for days in (1, 3, 7, 14, 30, 60, 90, 180)))
"""Ages are seen as one of ten bands between these borders (towers.md, recipe)."""

GENERIC_POSITIVE = len(ACTIONS) + 1
GENERIC_NEGATIVE = len(ACTIONS) + 2
TYPES = len(ACTIONS) + 3
"""Type numbers: 0 padding, 1.. the vocabulary, then one generic type of each sign."""

FAR_BELOW = -1e9
NEGATIVE_START = 0.5
DISLIKE_PRIOR = -0.5
"""How an action counts that speaks against its item: half at first, then as training finds; a
dislike the log never showed counts against."""


class Actions(nn.Module):
    """What all encoders share: which columns are real, and the weight of type, age and place."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.type_logit = nn.Parameter(torch.zeros(TYPES))
        self.age_logit = nn.Parameter(torch.zeros(len(AGE_BORDERS_S) + 1))
        self.place_logit = nn.Parameter(torch.zeros(length))
        multiplier = torch.ones(TYPES)
        for name in NEGATIVE:
            multiplier[1 + ACTIONS.index(name)] = NEGATIVE_START
        multiplier[GENERIC_NEGATIVE] = NEGATIVE_START
        self.multiplier = nn.Parameter(multiplier)
        self.register_buffer("borders", torch.tensor(AGE_BORDERS_S))

    def forward(self, vectors: Tensor, types: Tensor, ages_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits float32 [B, H], far below zero where padded, and signed vectors."""
        borders: Tensor = self.borders  # type: ignore[assignment]
        band = (ages_s.unsqueeze(-1) > borders).long().sum(-1)
        logit = self.type_logit[types] + self.age_logit[band] + self.place_logit
        real = vectors.abs().sum(-1) > 0
        logit = torch.where(real, logit, torch.full_like(logit, FAR_BELOW))
        return logit, vectors * self.multiplier[types].unsqueeze(-1)

    @torch.no_grad()
    def complete(self, seen: frozenset[str]) -> None:
        """Give action types that the log lacks the generic weights of their sign.

        The logit shifts by the log of the type's strength over the mean strength of the seen
        types of its sign; an unseen dislike speaks against its item.
        """
        for name in ACTIONS:
            if name in seen:
                continue
            same = [STRENGTH[o] for o in seen if (o in NEGATIVE) == (name in NEGATIVE)]
            mean = sum(same) / len(same) if same else 1.0
            code = 1 + ACTIONS.index(name)
            generic = GENERIC_NEGATIVE if name in NEGATIVE else GENERIC_POSITIVE
            shift = torch.log(torch.tensor(STRENGTH[name] / mean))
            self.type_logit[code] = self.type_logit[generic] + shift
            self.multiplier[code] = self.multiplier[generic]
        if "dislike" not in seen:
            self.multiplier[1 + ACTIONS.index("dislike")] = DISLIKE_PRIOR


class MeanEncoder(nn.Module):
    """A softmax-weighted mean of the vectors and one learned prior: the recipe's user tower.

    Beats attention, GRU and transformer on `online-retail` (towers.md, what mattered).
    """

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.actions = Actions(length)
        self.prior = nn.Parameter(0.1 * torch.randn(1, dim))
        self.prior_logit = nn.Parameter(torch.zeros(1, 1))

    def forward(self, item_vectors: Tensor, action_types: Tensor, ages_s: Tensor) -> Tensor:
        logit, vectors = self.actions(item_vectors, action_types, ages_s)
        first = self.prior_logit.expand_as(logit[:, :1])
        share = torch.softmax(torch.cat([first, logit], dim=1), dim=1)
        mean = (share[:, 1:].unsqueeze(-1) * vectors).sum(1)
        return unit(share[:, :1] * self.prior + mean)


class AttentionEncoder(nn.Module):
    """Learned-query attention over the vectors, then a small residual network."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.mean = MeanEncoder(dim, length)
        self.key = nn.Linear(dim, dim)
        self.query = nn.Parameter(torch.randn(dim) / dim**0.5)
        self.mlp = _mlp(dim)

    def forward(self, item_vectors: Tensor, action_types: Tensor, ages_s: Tensor) -> Tensor:
        logit, vectors = self.mean.actions(item_vectors, action_types, ages_s)
        logit = logit + torch.tanh(self.key(item_vectors)) @ self.query
        first = self.mean.prior_logit.expand_as(logit[:, :1])
        share = torch.softmax(torch.cat([first, logit], dim=1), dim=1)
        pooled = share[:, :1] * self.mean.prior + (share[:, 1:].unsqueeze(-1) * vectors).sum(1)
        return unit(pooled + self.mlp(pooled))


class GruEncoder(nn.Module):
    """The last state of a GRU plus the weighted mean; padding in front is a learned start."""

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.mean = MeanEncoder(dim, length)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.types = nn.Embedding(TYPES, dim)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, item_vectors: Tensor, action_types: Tensor, ages_s: Tensor) -> Tensor:
        pooled = self.mean(item_vectors, action_types, ages_s)
        real = (item_vectors.abs().sum(-1) > 0).float().unsqueeze(-1)
        states, _ = self.gru(item_vectors + 0.1 * real * self.types(action_types))
        return unit(pooled + real[:, -1] * self.out(states[:, -1]))


class TransformerEncoder(nn.Module):
    """One bidirectional layer over the actions, then the weighted mean."""

    def __init__(self, dim: int, length: int, heads: int = 4) -> None:
        super().__init__()
        self.mean = MeanEncoder(dim, length)
        self.places = nn.Parameter(0.02 * torch.randn(length, dim))
        self.types = nn.Embedding.from_pretrained(0.02 * torch.randn(TYPES, dim), freeze=False)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mlp = _mlp(dim)
        self.heads, self.width, self.length, self.dim = heads, dim // heads, length, dim

    def forward(self, item_vectors: Tensor, action_types: Tensor, ages_s: Tensor) -> Tensor:
        real = item_vectors.abs().sum(-1) > 0
        inside = item_vectors + self.places + self.types(action_types)
        mixed = inside + self._attend(inside, real)
        mixed = mixed + self.mlp(mixed)
        keep = real.float().unsqueeze(-1)
        user_vector: Tensor = self.mean(keep * mixed, action_types, ages_s)
        return user_vector

    def _attend(self, inside: Tensor, real: Tensor) -> Tensor:
        split = (-1, self.length, self.heads, self.width)
        query, key, value = (
            part.reshape(split).transpose(1, 2) for part in self.qkv(inside).chunk(3, dim=-1)
        )
        logit = query @ key.transpose(2, 3) / self.width**0.5
        logit = logit + (~real).float()[:, None, None, :] * FAR_BELOW
        mixed: Tensor = (torch.softmax(logit, -1) @ value).transpose(1, 2)
        return mixed.reshape(-1, self.length, self.dim)


ENCODERS = {
    "mean": MeanEncoder,
    "attention": AttentionEncoder,
    "gru": GruEncoder,
    "transformer": TransformerEncoder,
}


def make_encoder(name: str, dim: int, length: int) -> nn.Module:
    """Build a user tower by name.

    Raises:
        RecipeInvalid: no such encoder.
    """
    if name not in ENCODERS:
        raise RecipeInvalid(f"unknown encoder {name!r}: use one of {', '.join(ENCODERS)}")
    return ENCODERS[name](dim, length)


def shared_actions(encoder: nn.Module) -> Actions:
    """Return the part of an encoder that knows the action types."""
    mean = encoder if isinstance(encoder, MeanEncoder) else encoder.mean
    assert isinstance(mean, MeanEncoder)
    return mean.actions


def _mlp(dim: int) -> nn.Module:
    last = nn.Linear(dim, dim)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)

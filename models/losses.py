"""Softmax over the catalogue, whole or sampled, with a distribution over items as the target."""

from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Pairs:
    """Targets of a batch as (example, item, weight) triples; the weights of an example sum to 1.

    Attributes:
        example: int64 [P], position in the batch.
        item: int64 [P], position in the item vectors of the step; no pair appears twice.
        weight: float32 [P].
    """

    example: Tensor
    item: Tensor
    weight: Tensor


def softmax_loss(
    queries: Tensor,
    vectors: Tensor,
    pairs: Pairs,
    counts: Tensor,
    left_out: Tensor | None = None,
) -> Tensor:
    """Cross entropy of each example against its target distribution, float32 [B].

    The sum over the catalogue is the example's own targets, exactly, plus the other items, each
    counted `counts` times: 1 for every item is the full softmax; how often an item was drawn
    divided by how often that was to be expected is the sampled softmax with logQ correction
    (Bengio & Senecal 2008), whose sum is that of the full softmax on average; 0 leaves an item out.

    Args:
        queries: float32 [B, dim], already divided by the temperature.
        vectors: float32 [n, dim], item vectors of the step, of unit length.
        pairs: targets; an example without any has loss 0.
        counts: float32 [n], see above.
        left_out: int64 [B], one item per example that takes no part at all.
    """
    bound = queries.detach().norm(dim=1, keepdim=True)  # no logit is larger: exp cannot overflow
    total = torch.exp(queries @ vectors.T - bound) @ counts
    target = (queries[pairs.example] * vectors[pairs.item]).sum(-1) - bound[pairs.example, 0]
    zeros = torch.zeros_like(total)
    total = total.index_add(0, pairs.example, (1 - counts[pairs.item]) * target.exp())
    if left_out is not None:
        own = (queries * vectors[left_out]).sum(-1) - bound[:, 0]
        total = total - counts[left_out] * own.exp()
    share = zeros.index_add(0, pairs.example, pairs.weight)
    hit = zeros.index_add(0, pairs.example, pairs.weight * target)
    return share * total.clamp_min(TINY).log() - hit

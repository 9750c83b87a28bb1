"""Losses against values worked out by hand, and the sampled softmax against the full one."""

import math

import pytest
import torch

from models.losses import Pairs, softmax_loss


def pairs_of(*triples: tuple[int, int, float]) -> Pairs:
    example, item, weight = zip(*triples, strict=True)
    return Pairs(torch.tensor(example), torch.tensor(item), torch.tensor(weight))


VECTORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
ALL = torch.ones(3)


def test_the_full_softmax_is_the_cross_entropy() -> None:
    query = torch.tensor([[2.0, 0.0]])  # logits 2, 0, -2
    loss = softmax_loss(query, VECTORS, pairs_of((0, 0, 0.75), (0, 1, 0.25)), ALL)
    total = math.exp(2) + 1 + math.exp(-2)
    assert loss.item() == pytest.approx(math.log(total) - 0.75 * 2, abs=1e-6)


def test_an_item_left_out_does_not_compete_unless_it_is_a_target() -> None:
    query = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    counts = torch.tensor([1.0, 1.0, 0.0])
    loss = softmax_loss(query, VECTORS, pairs_of((0, 0, 1.0), (1, 2, 1.0)), counts)
    assert loss[0].item() == pytest.approx(math.log(math.exp(2) + 1) - 2, abs=1e-6)
    assert loss[1].item() == pytest.approx(math.log(math.exp(2) + 1 + math.exp(-2)) + 2, abs=1e-5)


def test_the_anchor_of_the_item_to_item_loss_takes_no_part() -> None:
    anchor = torch.tensor([0])
    loss = softmax_loss(VECTORS[anchor], VECTORS, pairs_of((0, 1, 1.0)), ALL, anchor)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)


def test_an_example_without_targets_has_no_loss() -> None:
    query = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    loss = softmax_loss(query, VECTORS, pairs_of((1, 0, 1.0)), ALL)
    assert loss[0].item() == 0


def test_an_expected_count_of_two_counts_each_draw_by_half() -> None:
    query = torch.tensor([[2.0, 0.0]])
    drawn_once = torch.tensor([0.0, 0.5, 0.0])
    loss = softmax_loss(query, VECTORS, pairs_of((0, 0, 1.0)), drawn_once)
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 0.5) - 2, abs=1e-6)


def test_large_logits_do_not_overflow() -> None:
    query = torch.tensor([[33.0, 0.0]], requires_grad=True)
    loss = softmax_loss(query, VECTORS, pairs_of((0, 2, 1.0)), ALL)
    loss.sum().backward()
    assert loss.item() == pytest.approx(66, abs=1e-3)
    assert query.grad is not None
    assert torch.isfinite(query.grad).all()


def test_the_sampled_softmax_approaches_the_full_one_as_the_sample_grows() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(200, 8, generator=generator), dim=1)
    query = 6 * torch.nn.functional.normalize(torch.randn(32, 8, generator=generator), dim=1)
    pairs = pairs_of(
        *((i, 3 * i, 0.5) for i in range(32)), *((i, 3 * i + 1, 0.5) for i in range(32))
    )
    full = softmax_loss(query, vectors, pairs, torch.ones(200))
    share = torch.rand(200, generator=generator) + 0.1
    share /= share.sum()
    errors = []
    for size in (50, 500, 50_000):
        drawn = torch.multinomial(share, size, replacement=True, generator=generator)
        counts = torch.bincount(drawn, minlength=200) / (size * share)
        errors.append((softmax_loss(query, vectors, pairs, counts) - full).abs().mean().item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02

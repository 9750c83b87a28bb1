"""User towers: unit length, empty histories, padding, and action types that the log lacked."""

import numpy as np
import pytest
import torch

from models.errors import RecipeInvalid
from models.networks.encoders import (
    ENCODERS,
    GENERIC_POSITIVE,
    MeanEncoder,
    make_encoder,
    shared_actions,
)
from service.domain.actions import ACTIONS

DIM, LENGTH = 8, 5
CODE = {name: i + 1 for i, name in enumerate(ACTIONS)}


def inputs_of(n_real: int, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n_real)
    vectors = torch.nn.functional.normalize(
        torch.randn(batch, LENGTH, DIM, generator=generator), dim=-1
    )
    types = torch.randint(1, len(ACTIONS) + 1, (batch, LENGTH), generator=generator)
    ages = torch.rand(batch, LENGTH, generator=generator) * 1e7
    real = torch.arange(LENGTH) >= LENGTH - n_real
    return vectors * real[:, None], types * real, ages * real


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("n_real", [0, 1, LENGTH])
def test_every_vector_has_unit_length_and_is_finite(name: str, n_real: int) -> None:
    torch.manual_seed(1)
    vector = make_encoder(name, DIM, LENGTH)(*inputs_of(n_real))
    assert torch.isfinite(vector).all()
    np.testing.assert_allclose(vector.norm(dim=1).detach().numpy(), 1, atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_empty_history_gives_everyone_the_same_vector(name: str) -> None:
    vector = make_encoder(name, DIM, LENGTH)(*inputs_of(0))
    torch.testing.assert_close(vector[0], vector[1])


def test_the_mean_without_history_is_the_prior() -> None:
    encoder = MeanEncoder(DIM, LENGTH)
    vector = encoder(*inputs_of(0))[0]
    torch.testing.assert_close(vector, torch.nn.functional.normalize(encoder.prior, dim=1)[0])


def test_the_mean_is_the_weighted_mean() -> None:
    encoder = MeanEncoder(DIM, LENGTH)
    vectors, types, ages = inputs_of(LENGTH, batch=1)
    positive = torch.full_like(types, CODE["purchase"])
    expected = (encoder.prior + vectors[0].sum(0)) / (LENGTH + 1)
    found = encoder(vectors, positive, ages)
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=1))


@pytest.mark.parametrize("name", ENCODERS)
def test_what_stands_in_the_padding_does_not_matter(name: str) -> None:
    torch.manual_seed(1)
    encoder = make_encoder(name, DIM, LENGTH)
    vectors, types, ages = inputs_of(2)
    other = encoder(vectors, types, torch.where(vectors.abs().sum(-1) > 0, ages, 123.0))
    torch.testing.assert_close(encoder(vectors, types, ages), other)


def test_unseen_positive_types_get_the_generic_weights_by_strength() -> None:
    actions = shared_actions(make_encoder("mean", DIM, LENGTH))
    with torch.no_grad():
        actions.type_logit[GENERIC_POSITIVE] = 0.5
    actions.complete(frozenset({"purchase", "return"}))
    logit = actions.type_logit.tolist()
    assert logit[CODE["view"]] == pytest.approx(0.5 + np.log(0.2), abs=1e-5)
    assert logit[CODE["add_to_cart"]] > logit[CODE["click"]] > logit[CODE["view"]]
    assert logit[CODE["purchase"]] == 0


@pytest.mark.parametrize("name", ENCODERS)
def test_an_unseen_dislike_turns_away_from_its_item(name: str) -> None:
    encoder = make_encoder(name, DIM, LENGTH)
    shared_actions(encoder).complete(frozenset({"purchase"}))
    multiplier = shared_actions(encoder).multiplier
    assert multiplier[CODE["dislike"]] < 0 < multiplier[CODE["view"]]
    if name != "mean":
        return
    vectors, types, ages = inputs_of(1, batch=1)
    liked = encoder(vectors, types.clamp(max=1), ages)
    disliked = encoder(vectors, types.clamp(max=1) * CODE["dislike"], ages)
    assert (liked @ vectors[0, -1]).item() > (disliked @ vectors[0, -1]).item()


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match="use one of mean"):
        make_encoder("oracle", DIM, LENGTH)

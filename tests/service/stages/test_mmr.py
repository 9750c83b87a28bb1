"""MMR: relevance where nothing is alike, difference where everything is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.arrays import Vectors
from service.stages.mmr import spread


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def as_the_paper_says(vectors: Vectors, weight: float) -> list[int]:
    """Every place in turn, written down without a thought for time."""
    n = len(vectors)
    worth = np.linspace(1.0 - weight, 0.0, n, dtype=np.float32)
    alike = (vectors @ vectors.T) * np.float32(weight)
    order: list[int] = []
    for _ in range(n):
        left = [i for i in range(n) if i not in order]
        above = [max((alike[j, i] for j in order), default=np.float32(0)) for i in left]
        order.append(left[int(np.argmax([worth[i] - a for i, a in zip(left, above, strict=True)]))])
    return order


def test_items_that_have_nothing_in_common_keep_their_order() -> None:
    assert spread(np.eye(6, dtype=np.float32), 0.5, 6).tolist() == list(range(6))


def test_a_twin_waits_until_something_else_was_shown() -> None:
    vectors = _unit(np.array([[1.0, 0.0], [1.0, 0.01], [1.0, 0.02], [0.0, 1.0]]))
    assert spread(vectors, 0.0, 4).tolist() == [0, 1, 2, 3]
    assert spread(vectors, 0.6, 4).tolist() == [0, 3, 1, 2]


def test_the_best_item_stays_on_top() -> None:
    vectors = _unit(np.random.default_rng(1).normal(size=(30, 8)))
    for weight in (0.0, 0.1, 0.5, 0.9):
        assert spread(vectors, weight, 30)[0] == 0


@given(st.integers(0, 60), st.floats(0.0, 1.0), st.integers(1, 70), st.integers(0, 9))
def test_it_only_reorders(n: int, weight: float, places: int, seed: int) -> None:
    vectors = _unit(np.random.default_rng(seed).normal(size=(n, 4)))
    assert sorted(spread(vectors, weight, places).tolist()) == list(range(n))


@given(st.integers(1, 30), st.floats(0.0, 1.0, width=16), st.integers(0, 99))
def test_each_place_goes_to_the_one_that_gains_most(n: int, weight: float, seed: int) -> None:
    vectors = _unit(np.random.default_rng(seed).normal(size=(n, 3)))
    assert spread(vectors, weight, n).tolist() == as_the_paper_says(vectors, weight)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 9))
def test_below_the_places_given_the_others_keep_their_order(n: int, places: int, seed: int) -> None:
    vectors = _unit(np.random.default_rng(seed).normal(size=(n, 3)))
    order = spread(vectors, 0.5, places).tolist()
    assert order[:places] == spread(vectors, 0.5, n).tolist()[:places]
    assert order[places:] == sorted(order[places:])


def test_neighbours_become_less_alike() -> None:
    rng = np.random.default_rng(2)
    kinds = np.sort(rng.integers(0, 5, 40))  # seven of the same kind lead the list
    vectors = _unit(rng.normal(size=(5, 8))[kinds] + 0.1 * rng.normal(size=(40, 8)))

    def alike(order: np.ndarray) -> float:
        top = vectors[order[:5]]
        return float((top @ top.T).mean())

    assert alike(np.arange(40)) > 0.9
    assert alike(spread(vectors, 0.5, 10)) < 0.7

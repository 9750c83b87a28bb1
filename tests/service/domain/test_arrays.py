"""Arrays: membership."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.domain.arrays import among

numbers = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=40)


@given(numbers, numbers)
def test_among_tells_which_values_occur_in_the_others(values: list[int], others: list[int]) -> None:
    mask = among(np.array(values, dtype=np.uint64), np.array(others, dtype=np.uint64))
    assert mask.tolist() == [value in others for value in values]

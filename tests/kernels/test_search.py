"""Binary search against numpy."""

import numpy as np
import pytest

from abxfast.kernels.search import lower_bound, upper_bound


@pytest.mark.parametrize("n", [0, 1, 2, 31])
def test_bounds_within_a_part_of_the_array(n):
    part = np.sort(np.random.default_rng(n).integers(0, 12, n))
    array = np.concatenate(([99, -99], part, [-99, 99]))  # unsorted around it
    for value in range(-1, 14):
        assert lower_bound(array, 2, 2 + n, value) == 2 + np.searchsorted(part, value)
        assert upper_bound(array, 2, 2 + n, value) == 2 + np.searchsorted(part, value, side="right")

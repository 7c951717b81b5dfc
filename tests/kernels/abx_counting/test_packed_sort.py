"""Sorting with order against numpy."""

import numpy as np
import pytest

from abxfast.kernels.abx_counting.packed_sort import order_error, sort_with_order


@pytest.mark.parametrize("spread", [1.0, 1e-9, 1e-15, 0.0])
@pytest.mark.parametrize(("n", "index_type"), [(25, np.uint16), (2000, np.uint16), (70_000, np.int32)])
def test_rows_and_order(n, index_type, spread):
    rng = np.random.default_rng(n)
    rows = 0.3 + spread * rng.uniform(-1, 0.7, (3, n))
    rows[:, -1] = np.inf
    rows[1, : n // 2] = np.inf
    before, index = rows.copy(), np.empty(rows.shape, index_type)
    sort_with_order(rows, index)
    np.testing.assert_array_equal(rows, np.sort(before, axis=1))
    np.testing.assert_array_equal(np.sort(index, axis=1), np.tile(np.arange(n), (3, 1)))
    by_index = np.take_along_axis(before, index.astype(int), axis=1)
    finite = np.isfinite(rows)
    np.testing.assert_array_equal(finite, np.isfinite(by_index))
    assert np.abs(rows[finite] - by_index[finite]).max() <= order_error(n)

"""Intrinsics against plain Python."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from abxfast.kernels.intrinsics import LANES, atomic_add, fma, prefetch, scatter_suffix_sums


def scatter_suffix_sums_reference(steps, sums, start, n_lanes, index, offset, n):
    """Do as `scatter_suffix_sums`, one element at a time."""
    for lane in range(n_lanes):
        suffix_sum = 0
        for k in range(n - 1, -1, -1):
            suffix_sum += int(steps[(k + 1) * n_lanes + lane])
            target = start + int(index[offset + k]) * n_lanes + lane
            sums[target] = (int(sums[target]) + suffix_sum) % 2**16
    steps[: (n + 1) * n_lanes] = 0


@njit
def call_scatter_suffix_sums(steps, sums, start, n_lanes, index, offset, n):
    scatter_suffix_sums(steps, sums, start, n_lanes, index, offset, n)


@settings(deadline=None)
@given(
    st.integers(0, 40),
    st.sampled_from([1, LANES]),
    st.sampled_from([np.uint16, np.int32]),
    st.integers(0, 7),
    st.integers(1, 2**16),
    st.integers(0, 2**32),
)
def test_scatter_suffix_sums(n, n_lanes, index_type, offset, max_step, seed):
    """Elements beyond the list are left alone, and sums wrap at 2¹⁶."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, max_step, (n + 3) * n_lanes).astype(np.uint16)
    start = int(rng.integers(0, 20))
    sums = rng.integers(0, max_step, start + (n + 2) * n_lanes).astype(np.uint16)
    index = np.concatenate((np.zeros(offset), rng.permutation(n + 1)[:n], [0])).astype(index_type)
    expected_steps, expected_sums = steps.copy(), sums.copy()
    scatter_suffix_sums_reference(expected_steps, expected_sums, start, n_lanes, index, offset, n)
    call_scatter_suffix_sums(steps, sums, start, n_lanes, index, offset, n)
    np.testing.assert_array_equal(steps, expected_steps)
    np.testing.assert_array_equal(sums, expected_sums)


def test_scatter_suffix_sums_does_nothing_with_another_number_of_lanes():
    steps, sums = np.ones(12, np.uint16), np.ones(12, np.uint16)
    call_scatter_suffix_sums(steps, sums, 0, 2, np.arange(5, dtype=np.uint16), 0, 5)
    assert (steps == 1).all()
    assert (sums == 1).all()


def test_atomic_add_from_several_threads():
    @njit(nogil=True)
    def add_many(array, times):
        for k in range(times):
            atomic_add(array, k & 1, 3)

    array, times = np.zeros(3, np.int64), 200_000
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: add_many(array, times), range(4)))
    assert array.tolist() == [6 * times, 6 * times, 0]


@pytest.mark.parametrize("seed", range(5))
def test_fma_rounds_once(seed):
    @njit
    def call_fma(x, y, z):
        return fma(x, y, z)

    x, y = np.random.default_rng(seed).standard_normal(2)
    error = Fraction(x) * Fraction(y) - Fraction(x * y)
    assert error != 0
    assert Fraction(call_fma(x, y, -x * y)) == error


def test_prefetch_changes_nothing():
    @njit
    def call_prefetch(array, index):
        prefetch(array, index)

    array = np.arange(4.0)
    for index in (0, 3, 10**12):
        call_prefetch(array, index)
    assert array.tolist() == [0, 1, 2, 3]

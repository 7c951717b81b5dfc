"""Ranks from bucket tables against numpy."""

import numpy as np
import pytest

from abxfast.kernels.abx_counting.lookup import ColumnBlock, ListView, build_table, rank_by_scan, rank_by_table, tie_end
from abxfast.kernels.cosine import TIE

KINDS = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "integers": lambda rng, n: rng.integers(-3, 4, n) / 4,
    "equal": lambda _rng, n: np.full(n, 0.25),
    "skewed": lambda rng, n: -(rng.uniform(0, 1, n) ** 20),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "n_buckets", "index_type"), [(30, 60, np.uint16), (500, 500, np.int32)])
def test_ranks(kind, n, n_buckets, index_type):
    rng = np.random.default_rng(n)
    valid = np.sort(KINDS[kind](rng, n - 2))
    distances = np.concatenate((np.full(5, -9.0), valid, [np.inf] * 3))
    view = ListView(5, n + 1, n - 2, 4, n_buckets)
    table = np.full(4 + n_buckets + 1, 7, index_type)
    build_table(distances, view.offset, view.n_valid, table[4:])
    values = np.concatenate((KINDS[kind](rng, 100), valid[:20], [-1.0, 1.0]))
    cosines = np.stack((np.zeros(len(values) + 3), np.concatenate((np.zeros(3), -values))))
    block, margin = ColumnBlock(1, 3, len(values)), TIE
    ranks, expected = np.zeros(256, np.uint32), np.searchsorted(valid, values - margin)
    any_tied = (np.abs(valid[:, None] - values) <= margin).any()
    results = [
        rank_by_table(cosines, block, distances, table, view, margin, ranks),
        rank_by_scan(cosines, block, distances, view, margin, ranks),
    ]
    assert results == [(2 * expected.sum(), any_tied)] * 2
    np.testing.assert_array_equal(ranks[: len(values)], expected)
    for value, rank in zip(values, expected, strict=True):
        assert tie_end(distances, view, rank, value, 1e-14) == (np.searchsorted(valid, value + TIE, "right"), True)


def test_elements_on_an_edge_of_the_tie_band_are_uncertain():
    distances, tolerance = np.array([0.0, 0.5 - TIE, 0.5, 0.5 + TIE, 1.0, np.inf]), 1e-15
    view = ListView(0, 6, 5, 0, 0)
    assert tie_end(distances, view, 1, 0.5, tolerance) == (4, False)
    assert tie_end(distances, view, 3, 0.5 + TIE * 1.5, tolerance) == (4, True)

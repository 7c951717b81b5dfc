"""Memory that a sweep takes."""

import tracemalloc

import numpy as np
import pytest

from abxfast.kernels import abx_counts


def peak_mb(*arguments, **options):
    """Return the peak of traced memory of a call, in megabytes."""
    tracemalloc.start()
    abx_counts(*arguments, **options)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def test_memory_of_a_component_is_freed_before_the_next():
    """Several components, the cached unit vectors of each of which take most of the memory."""
    small = np.random.default_rng(0).standard_normal((60, 8))
    abx_counts(small, np.arange(60), np.array([0, 30, 60]), np.array([(0, 1, 0)]))  # compile
    n, dim, memory_mb = 400, 2048, 40.0
    embeddings = np.random.default_rng(0).standard_normal((8 * n, dim)).astype(np.float32)
    cells = np.array([(g, g + 1, g) for g in range(0, 8, 2)])
    peak = {
        components: peak_mb(
            embeddings, np.arange(8 * n), np.arange(9) * n, cells[:components], memory_mb=memory_mb, threads=1
        )
        for components in (1, 4)
    }
    assert 8 * 2 * n * dim / 1e6 < peak[1] < memory_mb  # all unit vectors are cached
    assert peak[4] < 1.1 * peak[1]


@pytest.mark.parametrize("marginals", [False, True])
@pytest.mark.parametrize(("memory_mb", "n"), [(4, 250), (16, 1000), (64, 1000)])
def test_memory_stays_within_its_limit(memory_mb, n, marginals):
    """Six groups whose distance lists take several times the limit."""
    embeddings = np.random.default_rng(0).standard_normal((6 * n, 64)).astype(np.float32)
    bounds = np.arange(7) * n
    cells = np.array([(a, b, a) for a in range(6) for b in range(6) if a != b])
    blocks = np.zeros(6 * n, int) if marginals else None
    few_blocks = np.zeros(60, int) if marginals else None
    abx_counts(embeddings[:60], np.arange(60), np.arange(7) * 10, cells, blocks=few_blocks)  # compile
    assert 6 * n * 5 * n * 8 / 1e6 > 3 * memory_mb
    assert (
        peak_mb(embeddings, np.arange(6 * n), bounds, cells, blocks=blocks, memory_mb=memory_mb, threads=2) < memory_mb
    )


def test_memory_of_undecided_pairs_stays_within_its_limit():
    """All 250,000 pairs are on an edge of the tie band."""
    angle = np.concatenate((np.full(10, 0.7), np.full(500, 0.7 + 1e-12 / np.sin(0.7)), np.zeros(500)))
    embeddings = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    bounds, cells, memory_mb = np.array([0, 10, 510, 1010]), np.array([(0, 1, 2)]), 4
    abx_counts(embeddings, np.arange(1010), bounds, cells)  # compile
    assert peak_mb(embeddings, np.arange(1010), bounds, cells, memory_mb=memory_mb, threads=2) < memory_mb

"""What a sweep leaves behind, and takes: threads of BLAS, memory, interruptions."""

import threading
import time
import tracemalloc

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from abxfast.kernels import abx_counts, one_blas_thread
from abxfast.kernels.layout import make_layout
from abxfast.kernels.sweep import Sweep, _tiles, choose_tiling


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_gets_its_threads_back_whoever_ends_last():
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    assert set(blas_threads()) == {1}
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_memory_of_one_component_is_free_for_the_next():
    """Unit vectors of several BY components, each of which takes what there is."""
    small = np.random.default_rng(0).standard_normal((60, 8))
    abx_counts(small, np.arange(60), np.array([0, 30, 60]), np.array([(0, 1, 0)]))  # compile
    n, dim, memory_mb = 400, 2048, 40.0
    embeddings = np.random.default_rng(0).standard_normal((8 * n, dim)).astype(np.float32)
    cells = np.array([(g, g + 1, g) for g in range(0, 8, 2)])
    taken = {}
    for components in (1, 4):
        tracemalloc.start()
        abx_counts(embeddings, np.arange(8 * n), np.arange(9) * n, cells[:components], memory_mb=memory_mb, threads=1)
        taken[components] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    assert 8 * 2 * n * dim / 1e6 < taken[1] < memory_mb  # all unit vectors are kept
    assert taken[4] < 1.1 * taken[1]


def plan_of(sizes):
    groups = range(len(sizes))
    cells = np.array([(a, b, a) for a in groups for b in groups if a != b])
    return make_layout(np.arange(sum(sizes)), np.concatenate(([0], np.cumsum(sizes))), cells)[0]


@pytest.mark.parametrize(
    ("sizes", "widths"),
    [
        ([60] * 40, [960, 960, 480]),  # 16 of 17 groups
        ([20] * 60, [960, 240]),  # 48 of 51
        ([45] * 45, [990, 990, 45]),  # 16 of 22 would be narrower by a quarter
        ([300] * 4, [900, 300]),
        ([2000, 60], [60, 1000, 1000]),
    ],
)
def test_tiles_hold_whole_vectors_of_groups_where_they_stay_wide(sizes, widths):
    assert [high - low for low, high in _tiles(plan_of(sizes), 0, sum(sizes), 1024)] == widths


def test_long_lists_with_marginals_take_threads_not_tiles():
    plan, memory = plan_of([100_000, 60]), 512_000_000
    plain = choose_tiling(memory, 4096, 1024, 64, plan, marginals=False)
    more = choose_tiling(memory, 4096, 1024, 64, plan, marginals=True)
    assert (plain.threads, plain.tile) == (64, 64)
    assert more.threads < plain.threads
    assert more.tile >= plain.tile
    assert more.threads * 64 * 100_000 <= memory // 4


@pytest.mark.parametrize("marginals", [False, True])
@pytest.mark.parametrize("memory_mb", [4, 16, 64])
def test_memory_stays_within_its_bound(memory_mb, marginals):
    embeddings = np.random.default_rng(0).standard_normal((6000, 64)).astype(np.float32)
    groups = np.arange(7) * 1000
    cells = np.array([(a, b, a) for a in range(6) for b in range(6) if a != b])
    blocks = np.zeros(6000, int) if marginals else None
    few = np.zeros(60, int) if marginals else None
    abx_counts(embeddings[:60], np.arange(60), np.arange(7) * 10, cells, blocks=few)  # compile
    tracemalloc.start()
    abx_counts(embeddings, np.arange(6000), groups, cells, blocks=blocks, memory_mb=memory_mb, threads=2)
    taken = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert taken < memory_mb


def test_memory_of_open_pairs_stays_within_its_bound():
    """All 250,000 pairs lie on the edge of the tie band."""
    angle = np.concatenate((np.full(10, 0.7), np.full(500, 0.7 + 1e-12 / np.sin(0.7)), np.zeros(500)))
    embeddings = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    groups, cells, memory_mb = np.array([0, 10, 510, 1010]), np.array([(0, 1, 2)]), 4
    abx_counts(embeddings, np.arange(1010), groups, cells)  # compile
    tracemalloc.start()
    abx_counts(embeddings, np.arange(1010), groups, cells, memory_mb=memory_mb, threads=2)
    taken = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert taken < memory_mb


def test_a_failure_of_one_thread_stops_the_others():
    sweep = Sweep.__new__(Sweep)
    sweep._sizes = type("Sizes", (), {"threads": 2})
    done, failed = [], threading.Event()

    def task(number):
        if number == 0:
            failed.set()
            raise KeyboardInterrupt
        failed.wait()
        time.sleep(0.001)
        done.append(number)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as sweep._pool, pytest.raises(KeyboardInterrupt):
        sweep._each(task, ((k,) for k in range(10_000)))
    assert len(done) < 1000

"""Sizes of tiles, what is kept in memory, and where tiles are cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.kernels.abx_counting.layout import make_layout
from abxfast.kernels.abx_counting.tiling import (
    Retention,
    Tiling,
    batch_spans,
    choose_retention,
    choose_tiling,
    cut_tiles,
    join_small_components,
)


def layout_of(sizes):
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
def test_tiles_hold_multiples_of_16_groups_if_they_stay_wide(sizes, widths):
    assert [high - low for low, high in cut_tiles(layout_of(sizes), 0, sum(sizes), 1024)] == widths


def test_long_lists_with_marginals_reduce_threads_not_tiles():
    layout, memory = layout_of([100_000, 60]), 512_000_000
    plain = choose_tiling(memory, 4096, 1024, 64, layout, marginals=False)
    with_marginals = choose_tiling(memory, 4096, 1024, 64, layout, marginals=True)
    assert (plain.threads, plain.tile) == (64, 64)
    assert with_marginals.threads < plain.threads
    assert with_marginals.tile >= plain.tile
    assert with_marginals.threads * 64 * 100_000 <= memory // 4


def test_all_lists_are_kept_if_they_fit():
    list_bytes = np.full(1000, 80)
    assert choose_retention(list_bytes, Tiling(128, 128, 2, 80_000)) == Retention(1000, 0, 0)
    assert choose_retention(list_bytes, Tiling(128, 128, 2, 90_000)) == Retention(1000, 0, 10_000)


def test_lists_that_do_not_fit_leave_memory_for_stripes():
    list_bytes = np.full(1000, 80)
    # Half a tile for each of two threads: 2 · 64 · 80 bytes.
    assert choose_retention(list_bytes, Tiling(128, 128, 2, 60_000)) == Retention(622, 64, 0)
    # A quarter of the memory: 31 lists for each thread.
    assert choose_retention(list_bytes, Tiling(128, 128, 2, 20_000)) == Retention(187, 31, 40)
    # Not even one list fits: one row at a time.
    assert choose_retention(list_bytes, Tiling(128, 128, 2, 50)) == Retention(0, 1, 38)


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(0, 20_000), st.integers(1, 4))
def test_lists_and_stripes_together_fit_the_memory(sizes, lists_bytes, threads):
    """Except that each thread has at least one list."""
    list_bytes = np.sort(sizes)
    n_kept, stripe, free_bytes = choose_retention(list_bytes, Tiling(32, 32, threads, lists_bytes))
    kept_bytes = list_bytes[:n_kept].sum()
    assert kept_bytes + free_bytes <= lists_bytes
    assert free_bytes >= 0
    if n_kept == len(list_bytes):
        assert stripe == 0
    else:
        assert 1 <= stripe <= 16
        if stripe > 1:
            assert kept_bytes + free_bytes + threads * stripe * list_bytes.max() <= lists_bytes


def test_small_components_are_joined_and_large_ones_left_out():
    components = np.cumsum([0, 30, 40, 50, 200, 90, 10, 100, 5])
    assert list(join_small_components(components, 128)) == [
        (0, 70),
        (70, 120),
        (320, 410),
        (410, 420),
        (420, 520),
        (520, 525),
    ]


def test_batches_hold_adjacent_spans_within_a_memory_limit():
    layout = layout_of([10] * 12)
    spans = [(0, 20), (20, 40), (50, 60), (60, 120)]
    list_bytes = np.full(12, 100)
    # 8 · 20² + 20 · 100 bytes for each of the first two.
    assert list(batch_spans(spans, layout, list_bytes, Tiling(128, 128, 1, 1 << 20))) == [
        tuple(spans[:2]),
        tuple(spans[2:]),
    ]
    assert list(batch_spans(spans, layout, list_bytes, Tiling(128, 128, 1, 10_000))) == [(span,) for span in spans]

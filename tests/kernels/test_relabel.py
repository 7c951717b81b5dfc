"""Counts under other labellings against the float64 loop."""

import numpy as np
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.kernels import LABELLINGS_PER_BATCH, ComparisonRules, count_relabelled, sort_neighbours, unit_vectors


def vectors(kind, random, n):
    plain = random.standard_normal((n, 6))
    if kind == "duplicates":
        plain = plain[random.integers(0, 4, n)]
    elif kind == "zeros":
        plain[random.random(n) < 0.5] = 0
    elif kind == "ladder":  # distances that differ by a little less, and a little more, than the tie band
        plain = np.column_stack((np.ones(n), np.sqrt(2 * 0.7e-12 * random.integers(0, 6, n)), np.zeros((n, 4))))
    return plain


def is_compared(design, x, other, value):
    if x == other:
        return False
    if design.across[x] >= 0 and (design.across[other] != value or design.across[x] == value):
        return False
    too_close = abs(design.place[x] - design.place[other]) < design.gap[design.recording[x]]
    return not (design.recording[x] == design.recording[other] and too_close)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["plain", "duplicates", "zeros", "ladder"]),
    st.integers(1, 4),
    st.booleans(),
)
def test_every_labelling_agrees_with_the_loop(seed, kind, gap, with_across):
    random = np.random.default_rng(seed)
    n, values = 16, 3
    embeddings = vectors(kind, random, n)
    design = ComparisonRules(
        random.integers(0, 2, n) if with_across else np.full(n, -1),
        np.repeat([0, 1], n // 2),
        np.tile(np.arange(n // 2), 2),
        np.full(2, gap),
    )
    labels = random.integers(0, values, (1, n, LABELLINGS_PER_BATCH)).astype(np.uint8)
    wins2, triplets = np.zeros((2, 1, 1, values, LABELLINGS_PER_BATCH), np.int64)
    unit = unit_vectors(embeddings)
    for start, stop in ((0, 5), (5, n)):
        lists = sort_neighbours(unit, start, stop, design)
        count_relabelled(lists, np.zeros(len(lists.x), np.int64), labels, wins2, triplets)
    d = reference.distances(embeddings)
    for p in (0, 1, LABELLINGS_PER_BATCH - 1):
        label = labels[0, :, p]
        expected = np.zeros((values, 3), np.int64)
        for x in range(n):
            for value in range(2 if with_across else 1):
                others = [other for other in range(n) if is_compared(design, x, other, value)]
                a = [other for other in others if label[other] == label[x]]
                b = [other for other in others if label[other] != label[x]]
                expected[label[x]] += reference.counts(d, a, b, [x])
        assert (triplets[0, 0, :, p] == expected[:, 1]).all()
        assert (np.abs(wins2[0, 0, :, p] - expected[:, 0]) <= expected[:, 2]).all()


def test_ladder_has_distances_on_both_sides_of_the_tie_band():
    d = reference.distances(vectors("ladder", np.random.default_rng(0), 16))
    difference = np.abs(d[:, :, None] - d[:, None, :])
    assert ((difference > 0.1 * reference.TIE) & (difference <= reference.TIE)).any()
    assert ((difference > reference.TIE) & (difference < 3 * reference.TIE)).any()

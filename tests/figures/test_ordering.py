import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.figures import cluster_order


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.randoms(use_true_random=False))
def test_similar_recordings_are_neighbours(first, second, random):
    kinds = [0] * first + [1] * second
    random.shuffle(kinds)
    kind = np.array(kinds)
    score = np.where(kind[:, None] == kind, 0.52, 0.9)
    ordered = kind[cluster_order(score)]
    assert (np.diff(ordered) != 0).sum() == 1
    assert sorted(cluster_order(score)) == list(range(len(kind)))

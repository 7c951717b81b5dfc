import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.figures import multidimensional_scaling


def pairwise_distances(positions):
    return np.sqrt(((positions[:, None] - positions) ** 2).sum(axis=2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-0.17, 0.17), st.floats(-0.17, 0.17)), min_size=3, max_size=10))
def test_points_on_a_plane_keep_their_distances(points):
    distances = pairwise_distances(np.array(points))
    layout = multidimensional_scaling(0.5 + distances)
    np.testing.assert_allclose(pairwise_distances(layout.positions), distances, atol=2e-3)
    assert layout.stress < 0.05


def test_missing_pairs_have_no_influence():
    distances = pairwise_distances(np.array([[0, 0], [0.2, 0], [0.2, 0.1], [0, 0.1], [0.1, 0.25]]))
    score = 0.5 + distances
    score[0, 2] = score[2, 0] = np.nan
    positions = multidimensional_scaling(score).positions
    assert np.hypot(*(positions[0] - positions[2])) == pytest.approx(distances[0, 2], abs=0.02)

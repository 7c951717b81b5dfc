import itertools

import numpy as np
import pytest

from abxfast.figures.label_placement import place_labels

SIZE = (170.0, 60.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("count", "width"), [(12, 40.0), (14, 30.0), (40, 4.0)])
def test_no_label_covers_another_or_a_point(count, width, seed):
    random = np.random.default_rng(seed)
    clusters = random.uniform(10, 50, (3, 2)) * [3, 1]
    points = clusters[random.integers(3, size=count)] + random.normal(scale=1.5, size=(count, 2))
    labels = place_labels(points, [width] * count, 2.5, SIZE)
    for first, second in itertools.combinations(labels, 2):
        assert (
            first.right <= second.left
            or second.right <= first.left
            or first.bottom <= second.top
            or second.bottom <= first.top
        )
    for label, (x, y) in itertools.product(labels, points):
        assert not (label.left < x < label.right and label.top < y < label.bottom)
    for label in labels:
        assert label.left >= 0
        assert label.top >= 0
        assert label.right <= SIZE[0]
        assert label.bottom <= SIZE[1]


def test_a_label_wider_than_the_area_still_has_a_place():
    (label,) = place_labels(np.array([[5.0, 5.0]]), [50.0], 2.5, (20.0, 20.0))
    assert not label.distant

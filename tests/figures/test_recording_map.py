import itertools

import numpy as np

from abxfast.figures import MapLayout, draw_map, settings


def test_labels_of_neighbouring_points_do_not_cover_each_other():
    names = [f"spoken-{number}" for number in range(12)]
    positions = np.array([[0.3 * (number % 2) + 0.002 * number, 0.001 * (number % 5)] for number in range(12)])
    with settings(["DejaVu Sans"]):
        figure = draw_map("t", names, MapLayout(positions, 0.0), None, "").figure
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for axes in figure.axes for text in axes.texts]
    assert len(boxes) == 12
    for first, second in itertools.combinations(boxes, 2):
        assert not first.shrunk(0.9, 0.7).overlaps(second.shrunk(0.9, 0.7))

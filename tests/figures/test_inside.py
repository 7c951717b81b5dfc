"""Nothing that a figure says is cut off at its edge."""

import numpy as np
import pytest

from abxfast.figures import (
    LayerScore,
    MapLayout,
    ScoreCurve,
    draw_curve,
    draw_dendrogram,
    draw_layers,
    draw_map,
    draw_matrix,
    settings,
)
from abxfast.trees import average_linkage, neighbour_joining

LONG = "a-very-long-name-of-a-recording-that-was-made-in-the-village"


def layers(n_layers, n_poolings):
    cells = {
        f"layer{layer}.p{pooling}": LayerScore(0.4 + 0.02 * layer, "equivalent")
        for layer in range(n_layers)
        for pooling in range(n_poolings)
    }
    return draw_layers(LONG * 3, {f"{length} s": cells for length in (1, 5, 10, 20)})


def matrix(count):
    random = np.random.default_rng(0)
    verdict = random.choice(["different", "no_evidence", "equivalent", "undecidable"], (count, count))
    return draw_matrix(
        LONG * 3, [f"{LONG}-{number}" for number in range(count)], random.random((count, count)), verdict
    )


def trees(count):
    random = np.random.default_rng(count)
    distance = random.random((count, count)) / 2
    distance = np.triu(distance, 1) + np.triu(distance, 1).T
    names = [f"{LONG}-{number}" for number in range(count)]
    panels = {"average linkage": average_linkage(distance), "neighbour joining": neighbour_joining(distance)}
    return draw_dendrogram(LONG * 3, names, panels, [f"group {number % 9}" for number in range(count)], "group")


def map_of(count):
    positions = np.random.default_rng(count).normal(size=(count, 2))
    return draw_map(LONG * 3, [f"{LONG}-{number}" for number in range(count)], MapLayout(positions, 0.3), None, "")


def curve():
    nothing = np.full(3, np.nan)
    lengths, score = np.array([1.0, 10.0, np.nan]), np.array([0.6, 0.7, 0.8])
    verdict = np.array(["different", "undecidable", "no_evidence"])
    return draw_curve(
        LONG * 3, [ScoreCurve(LONG * 3, lengths, score, nothing, nothing, 26 / lengths, nothing, verdict)]
    )


@pytest.mark.parametrize(
    "draw",
    [
        curve,
        lambda: layers(24, 3),
        lambda: layers(2, 14),
        lambda: matrix(8),
        lambda: matrix(30),
        lambda: matrix(50),
        lambda: trees(3),
        lambda: trees(40),
        lambda: map_of(12),
        lambda: map_of(40),
    ],
)
def test_every_text_is_inside_the_figure(draw):
    with settings(["DejaVu Sans"]):
        figure = draw().figure
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        ticks = [
            tick
            for axes in figure.axes
            if axes.axison
            for axis in (axes.xaxis, axes.yaxis)
            for tick in axis.get_ticklabels(which="both")
        ]
        texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts), *ticks]
        for text in texts:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent(renderer)
                assert box.x0 >= -1, text
                assert box.x1 <= figure.bbox.width + 1, text
                assert box.y0 >= -1, text
                assert box.y1 <= figure.bbox.height + 1, text

import numpy as np
import pytest

from abxfast.figures import ScoreCurve, draw_curve, settings


def curve(name, snippet_s, score, verdict=""):
    score = np.array(score)
    nothing = np.full(len(score), np.nan)
    return ScoreCurve(
        name, np.array(snippet_s), score, score - 0.1, score + 0.1, nothing, nothing, np.full(len(score), verdict)
    )


def test_lengths_are_logarithmic_with_whole_items_last():
    curves = [curve("a", [1.0, 10.0], [0.6, 0.7]), curve("b", [2.0, np.nan], [0.8, 0.9])]
    with settings(["DejaVu Sans"]):
        axes = draw_curve("t", curves).figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "10", "whole"]
    ticks = axes.get_xticks()
    np.testing.assert_allclose(ticks[:3], np.log2([1, 2, 10]))
    assert ticks[3] > ticks[2]


def test_the_axis_holds_all_intervals_and_chance_level():
    with settings(["DejaVu Sans"]):
        axes = draw_curve("t", [curve("a", [1.0, 10.0], [0.8, 0.85])]).figure.axes[0]
    low, high = axes.get_ylim()
    assert low < 0.5
    assert high > 0.95


@pytest.mark.parametrize(
    ("verdict", "marker", "filled"),
    [("different", "o", True), ("no_evidence", "o", False), ("equivalent", "o", False), ("undecidable", "x", None)],
)
def test_markers_follow_the_verdict(verdict, marker, filled):
    with settings(["DejaVu Sans"]):
        axes = draw_curve("t", [curve("a", [1.0, 10.0], [0.8, 0.85], verdict)]).figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    assert {line.get_marker() for line in points} == {marker}
    if filled is not None:
        assert {line.get_markerfacecolor() != "white" for line in points} == {filled}

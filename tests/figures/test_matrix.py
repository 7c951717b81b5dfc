import numpy as np
import pytest

from abxfast.figures import draw_matrix, settings

SCORE = np.array([[np.nan, 0.512, 0.996], [0.43, 0.5, 0.7], [1.0, 0.61, np.nan]])


def draw(verdict=None):
    verdict = None if verdict is None else np.full((3, 3), verdict)
    with settings(["DejaVu Sans"]):
        return draw_matrix("t", ["a", "b", "c"], SCORE, verdict).figure


def test_every_score_is_written_in_its_cell():
    axes = next(axes for axes in draw().axes if axes.texts)
    cells = {tuple(int(part) for part in text.get_position()): text.get_text() for text in axes.texts}
    # (column, row), from the upper left corner.
    assert cells == {
        (1, 0): ".51",
        (2, 0): "1.0",
        (0, 1): ".43",
        (1, 1): ".50",
        (2, 1): ".70",
        (0, 2): "1.0",
        (1, 2): ".61",
    }
    assert axes.get_ylim() == (3, 0)


@pytest.mark.parametrize(
    ("verdict", "weight", "pattern"),
    [
        (None, "normal", "{}"),
        ("different", "bold", "{}"),
        ("no_evidence", "normal", "{}"),
        ("equivalent", "normal", "≈{}"),
        ("undecidable", "normal", "({})"),
    ],
)
def test_scores_follow_the_verdict(verdict, weight, pattern):
    figure = draw(verdict)
    weights = {text.get_text(): text.get_weight() for axes in figure.axes for text in axes.texts}
    scores = map(pattern.format, (".51", "1.0", ".43", ".70", ".61"))
    assert weights == dict.fromkeys(scores, weight) | {".50": "normal"}

import numpy as np
import pytest

from abxfast.figures import draw_matrix, settings

SCORE = np.array([[np.nan, 0.512, 0.996], [0.43, 0.5, 0.7], [1.0, 0.61, np.nan]])


def draw(low=0.6, high=0.9):
    low, high = np.full((3, 3), low), np.full((3, 3), high)
    with settings(["DejaVu Sans"]):
        return draw_matrix("t", ["a", "b", "c"], SCORE, low, high).figure


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
    ("low", "high", "weight"),
    [(0.6, 0.9, "bold"), (0.1, 0.4, "bold"), (0.4, 0.6, "normal"), (np.nan, np.nan, "normal")],
)
def test_a_score_whose_interval_excludes_chance_level_is_bold(low, high, weight):
    figure = draw(low, high)
    weights = {text.get_text(): text.get_weight() for axes in figure.axes for text in axes.texts}
    assert weights == dict.fromkeys((".51", "1.0", ".43", ".70", ".61"), weight) | {".50": "normal"}

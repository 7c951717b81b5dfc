"""The score matrix of one analysis."""

import numpy as np
import pyarrow as pa
import pytest

from abxfast.results import ResultKey, score_matrix

KEY = ResultKey("e", "mfcc", "mfcc.max", 10.0)


def make_pairs(on):
    columns = {
        "on": [on, on],
        "a": ["r1", "r1"],
        "b": ["r2", "r3"],
        "score_ab": [0.6, None],
        "score_ba": [0.8, 0.9],
        "verdict": ["different", "undecidable"],
    }
    return pa.table(columns)


BASELINES = pa.table(
    {
        "label": ["r1", "r3", "other"],
        "alternating_split": [0.51, 0.52, 0.53],
        "alternating_split_low": [0.4, None, 0.4],
    }
)


def test_rows_are_a_and_x_columns_are_b():
    matrix = score_matrix(KEY, make_pairs("recording"), BASELINES)
    nan = np.nan
    assert matrix.names == ("r1", "r2", "r3")
    np.testing.assert_array_equal(matrix.score, [[0.51, 0.6, nan], [0.8, nan, nan], [0.9, nan, nan]])
    assert matrix.verdict.tolist() == [
        ["", "different", "undecidable"],
        ["different", "", ""],
        ["undecidable", "", ""],
    ]


def test_the_symmetric_matrix_is_the_mean_of_both_directions():
    symmetric = score_matrix(KEY, make_pairs("recording"), BASELINES).symmetric
    np.testing.assert_allclose(symmetric, [[np.nan, 0.7, np.nan], [0.7, np.nan, np.nan], [np.nan, np.nan, np.nan]])


@pytest.mark.parametrize(("on", "baselines"), [("microphone", BASELINES), ("recording", None)])
def test_only_recordings_have_baselines_on_the_diagonal(on, baselines):
    matrix = score_matrix(KEY, make_pairs(on), baselines)
    assert np.isnan(np.diag(matrix.score)).all()
    assert matrix.on == on

import numpy as np
import pyarrow as pa
from sample_results import make_results

from abxfast.results import read_results, score_matrix

NAMES = ["a.wav", "b.wav", "c.wav", "d.wav"]


def test_the_diagonal_holds_the_self_baselines_that_have_an_interval(tmp_path):
    results = read_results(make_results(tmp_path, NAMES, lengths=(1.0,), variants=("a",)))
    ((key, pairs),) = results.groups("pairs").items()
    baselines = results.groups("self_baselines")[key]
    low = pa.array([None if label == NAMES[1] else 0.4 for label in baselines["label"].to_pylist()])
    baselines = baselines.set_column(
        baselines.column_names.index("alternating_split_low"), "alternating_split_low", low
    )
    matrix = score_matrix(key, pairs, baselines)
    assert np.isnan(np.diag(matrix.score)).tolist() == [name == NAMES[1] for name in matrix.names]

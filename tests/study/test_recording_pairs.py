"""Classification of recordings: the rows of the tables."""

from types import SimpleNamespace

import numpy as np

from abxfast.study.recording_pairs import classification_rows


def test_the_confusion_matrix_counts_the_recordings_that_the_accuracy_counts():
    """A recording alone with its label is not counted, and one with the same mean for two labels gets neither."""
    names = [("r1", "a"), ("r2", "a"), ("r3", "b"), ("r4", "b"), ("r5", "c")]
    items = tuple(SimpleNamespace(recording=name, item=name, labels={"kind": label}) for name, label in names)
    selection = SimpleNamespace(items=items, experiment=SimpleNamespace(classify=("kind",)))
    matrix = np.full((5, 5), 0.8)
    matrix[1, :4] = matrix[:4, 1] = 0.6
    matrix[2, 3] = matrix[3, 2] = 0.5
    matrix[0, 2] = matrix[2, 0] = matrix[0, 3] = matrix[3, 0] = 0.9
    matrix[np.diag_indices(5)] = np.nan
    analysis = SimpleNamespace(selection=selection, key={})
    rows = classification_rows(analysis, [name for name, _ in names], matrix, "")
    (accuracy,) = rows["accuracy"]
    counted = {(row["label"], row["predicted"]): row["n"] for row in rows["confusion"] if row["n"]}
    assert counted == {("a", "a"): 1, ("a", None): 1, ("b", "b"): 2}
    assert accuracy["n"] == sum(counted.values()) == 4
    assert accuracy["accuracy"] == 3 / 4

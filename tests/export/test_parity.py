"""The parity report: its measures, and the reference in PyTorch."""

import json
import shutil

import numpy as np
import pytest
from tiny import copy_checkpoint, drift_of, load_checkpoint, load_weights

from abxfast.errors import ExportError
from abxfast.export import parity

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
MISSING = "encoder.layers.1.feed_forward.output_dense.bias"


def test_measures_are_those_of_their_definitions():
    """Against the formulas of DESIGN.md, and a loop over triplets in float64."""
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((12, 5)) + np.repeat([[0.0], [0.7]], 6, axis=0)
    vectors = exact + 0.3 * rng.standard_normal(exact.shape)
    row = parity.compare("layer1.max", 1.0, vectors, exact)
    drift = drift_of(vectors, exact)
    cos = (vectors * exact).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(exact, axis=1)
    assert row.difference == pytest.approx(np.abs(vectors - exact).max() / np.abs(exact).max())
    assert row.angle == pytest.approx((1 - cos).max())
    assert (row.drift, row.drift95) == pytest.approx((drift.mean(), np.percentile(drift, 95)))
    scores = []
    for rows in (vectors, exact):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        distances = 1 - unit @ unit.T
        for a, b in ((range(6), range(6, 12)), (range(6, 12), range(6))):
            wins = [
                (distances[i, x] < distances[j, x]) + 0.5 * (distances[i, x] == distances[j, x])
                for x in a
                for i in a
                if i != x
                for j in b
            ]
            scores.append(np.mean(wins))
    assert row.abx == pytest.approx(max(abs(scores[0] - scores[2]), abs(scores[1] - scores[3])))
    assert row.abx > 0


def test_the_cells_of_the_check_are_large_enough():
    assert parity.SNIPPETS_PER_HALF * (parity.SNIPPETS_PER_HALF - 1) * parity.SNIPPETS_PER_HALF >= 10_000
    assert parity.LENGTHS_S == (1.0, 5.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"architectures": 5}),
        ("config.json", {"hidden_dropout": "x"}),
        ("config.json", {"_attn_implementation": "flash_attention_2"}),
        ("preprocessor_config.json", {"feature_extractor_type": "Foo"}),
    ],
)
def test_a_checkpoint_that_transformers_cannot_load(checkpoint_of, tmp_path, file, change):
    folder = shutil.copytree(checkpoint_of("xlsr"), tmp_path / "odd")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(ExportError, match="transformers, the reference for encoders, cannot load it") as caught:
        parity.TorchReference(load_checkpoint(folder), [1], ["max"])
    assert "\n" not in str(caught.value)


def test_weights_that_transformers_would_initialise(checkpoint_of, tmp_path):
    weights = load_weights(checkpoint_of("xlsr"))
    del weights[f"wav2vec2.{MISSING}"]
    folder = copy_checkpoint(checkpoint_of("xlsr"), tmp_path / "incomplete", weights)
    with pytest.raises(ExportError, match=f"transformers does not find {MISSING}, and would initialise it at random"):
        parity.TorchReference(load_checkpoint(folder), [1], ["max"])

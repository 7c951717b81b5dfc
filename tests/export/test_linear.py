"""Linear layers in int8: a frame with much larger values leaves the others their steps."""

import numpy as np
import pytest
from tiny import open_model

from abxfast.encoders import INPUT_NAME
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import LinearLayer, LinearLayers

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
KIND = "ffn2"


def run(x, layers, row_scaled=(KIND,)):
    g = Graph()
    outputs = LinearLayers("int8", row_scaled=frozenset(row_scaled)).add(g, INPUT_NAME, layers, f"blocks.3.{KIND}")
    model = g.model(
        "g", [value_info(INPUT_NAME, ["b", "t", x.shape[-1]])], [value_info(name, None) for name in outputs]
    )
    return open_model(model).run(None, {INPUT_NAME: x})


def make(seed=0, frames=40, inner=32, outer=24):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, frames, inner)).astype(np.float32)
    layers = [
        LinearLayer(f"l{i}", rng.standard_normal((inner, outer)).astype(np.float32), bias)
        for i, bias in enumerate((None, rng.standard_normal(outer).astype(np.float32)))
    ]
    return x, layers


def error(actual, x, layer):
    exact = x.astype(np.float64) @ layer.weight + (0 if layer.bias is None else layer.bias)
    return np.linalg.norm(actual - exact, axis=-1) / np.linalg.norm(exact, axis=-1)


def test_each_frame_has_a_scale_of_its_own():
    x, layers = make()
    x[0, 7] *= 1_000
    scaled, shared = run(x, layers), run(x, layers, row_scaled=())
    for with_rows, without, layer in zip(scaled, shared, layers, strict=True):
        assert error(with_rows, x, layer).max() < 0.03
        assert np.median(error(without, x, layer)) > 0.5  # all but one frame are rounded away


def test_a_frame_does_not_depend_on_the_magnitude_of_others():
    x, layers = make(seed=1)
    louder = x.copy()
    louder[1] *= 64  # a power of two: exact
    for quiet, loud, layer in zip(run(x, layers), run(louder, layers), layers, strict=True):
        np.testing.assert_array_equal(quiet[0], loud[0])
        bias = 0 if layer.bias is None else layer.bias
        np.testing.assert_allclose(loud[1] - bias, 64 * (quiet[1] - bias), rtol=1e-4, atol=1e-3)


def test_silent_frames_give_the_bias():
    x, layers = make(seed=2)
    x[0, 3] = 0
    without_bias, with_bias = run(x, layers)
    assert not without_bias[0, 3].any()
    np.testing.assert_array_equal(with_bias[0, 3], layers[1].bias)
    assert np.isfinite(run(np.zeros_like(x), layers)[0]).all()

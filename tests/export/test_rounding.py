"""Rounding to int8, against onnxruntime, GPTQ as its paper derives it, and products in float64."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from abxfast.export.linear import round_to_nearest
from abxfast.export.rounding import DAMPING, GptqRounder, round_activations, smoothing_scales

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")


def dynamic_quantiser():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["y", "scale", "zero"], ["out"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in ("x", "out")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


QUANTISER = dynamic_quantiser()


def correlated(frames=400, inner=150, seed=0, rank=20):
    """Inputs as a transformer has them: a few directions carry most of the power, around a mean."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((rank, inner))
    x = rng.standard_normal((frames, rank)) @ mix + 0.1 * rng.standard_normal((frames, inner)) + mix[0]
    return x.astype(np.float32)


def matrix(inner=150, outer=40, seed=1):
    return (np.random.default_rng(seed).standard_normal((inner, outer)) / np.sqrt(inner)).astype(np.float32)


def loss(x, weight, rounded, x_rounded=None):
    """Share of the power of the float64 product that rounding loses."""
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    other = x if x_rounded is None else x_rounded.astype(np.float64)
    off = other @ (rounded.weight.astype(np.float64) * rounded.scale) - x @ weight
    return np.square(off).sum() / np.square(x @ weight).sum()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 1e4), st.floats(-5, 5))
def test_inputs_are_rounded_as_onnxruntime_does(seed, size, offset):
    x = ((np.random.default_rng(seed).standard_normal((7, 5)) + offset) * size).astype(np.float32)
    (expected,) = QUANTISER.run(None, {"x": x})
    step = (max(x.max(), 0) - min(x.min(), 0)) / 255
    off = np.abs(round_activations(x) - expected)
    assert off.max() <= 1.01 * step  # a value between two steps may go either way in float32
    assert (off > 0.01 * step).mean() < 0.06


def test_an_input_of_zeros():
    assert not round_activations(np.zeros((3, 4), np.float32)).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_round_to_nearest_is_within_half_a_step(seed):
    weight = matrix(seed=seed)
    weight[:, 3] = 0
    rounded = round_to_nearest(weight)
    assert rounded.weight.dtype == np.int8
    assert np.abs(rounded.weight.astype(int)).max(axis=0)[[0, 1, 2, 4]].tolist() == [127] * 4
    assert not rounded.weight[:, 3].any()
    assert (np.abs(rounded.weight * rounded.scale.astype(np.float64) - weight) <= 0.5001 * rounded.scale).all()


def test_gptq_loses_less_than_round_to_nearest():
    """On the frames that it was given, and on others of the same distribution."""
    weight = matrix()
    rounded = GptqRounder(correlated(2_000)).round(weight)
    for seed in (0, 5):
        x = correlated(2_000, seed=seed)
        assert loss(x, weight, rounded) < 0.3 * loss(x, weight, round_to_nearest(weight))
    assert np.abs(rounded.weight.astype(int)).max() <= 127
    np.testing.assert_array_equal(rounded.scale, round_to_nearest(weight).scale)


@pytest.mark.parametrize(
    ("frames", "inner"), [(1, 1), (1, 5), (7, 5), (3, 50), (20, 150), (150, 150), (300, 1), (300, 20), (600, 150)]
)
def test_any_size_is_no_worse_than_round_to_nearest(frames, inner):
    """On average; also with fewer frames than channels, and on inputs without any correlation."""
    actual = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, weight = rng.standard_normal((frames, inner)).astype(np.float32), matrix(inner, 7, seed)
        actual.append(
            [loss(x, weight, rounded) for rounded in (GptqRounder(x).round(weight), round_to_nearest(weight))]
        )
    ours, plain = np.mean(actual, axis=0)
    assert ours <= 1.01 * plain + 1e-12


def textbook(x, weight):
    """GPTQ as its paper derives it: after each row, the best of all that is left, by the inverse of what is left."""
    step = (max(x.max(), 0) - min(x.min(), 0)) / 255
    moments = x.T.astype(np.float64) @ x / len(x)
    order = np.argsort(-moments.diagonal(), kind="stable")
    added = step**2 / 12 + DAMPING * moments.diagonal().mean()
    moments = (moments + added * np.eye(len(moments)))[np.ix_(order, order)]
    scale = np.abs(weight).max(axis=0) / 127
    left = (weight.astype(np.float64) / scale)[order]
    out = np.empty(left.shape, int)
    for i in range(len(left)):
        inverse = np.linalg.inv(moments[i:, i:])
        row = np.clip(np.round(left[i]), -127, 127)
        left[i + 1 :] -= np.outer(inverse[0, 1:] / inverse[0, 0], left[i] - row)
        out[order[i]] = row
    return out


def test_weights_are_rounded_as_by_the_paper():
    x, weight = correlated(600), matrix()
    actual, expected = GptqRounder(x).round(weight).weight, textbook(x, weight)
    assert len(x[0]) > 128  # so that a block ends on the way
    # A value between two integers goes either way in float32, and what follows makes up for it.
    assert (actual == expected).mean() > 0.97
    assert np.abs(actual - expected).max() <= 1


def with_outliers(x, channels=(7, 30), factor=30):
    x = x.copy()
    x[:, list(channels)] *= factor
    return x


@pytest.mark.parametrize("folded", [True, False])
def test_outlier_channels_are_smoothed(folded):
    x, weight = with_outliers(correlated()), matrix()
    weight[[7, 30]] /= 30
    scale = smoothing_scales(x, weight, folded=folded)
    assert scale is not None
    assert np.median(scale) == pytest.approx(1, abs=0.1)
    assert scale[[7, 30]].min() > 3 * np.median(scale)
    smooth, heavier = (x / scale).astype(np.float32), weight * scale[:, None]
    np.testing.assert_allclose(smooth.astype(np.float64) @ heavier, x.astype(np.float64) @ weight, rtol=0, atol=1e-4)
    naive = loss(x, weight, round_to_nearest(weight), round_activations(x))
    assert loss(smooth, heavier, round_to_nearest(heavier), round_activations(smooth)) < 0.1 * naive
    assert loss(smooth, heavier, GptqRounder(smooth).round(heavier), round_activations(smooth)) < 0.1 * naive


def test_a_channel_that_is_quiet_in_the_calibration_audio_is_not_amplified():
    """In a trained model it may be the loudest in other audio, and would then set the step of all others."""
    x, weight = with_outliers(correlated()), matrix()
    x[:, 11] *= 1e-6
    scale = smoothing_scales(x, weight, folded=True)
    assert scale.min() == 1
    assert scale[11] == 1
    other = correlated(seed=1)
    loss_of = {}
    for name, divisor in (("smoothed", scale), ("not", np.ones_like(scale))):
        rows = (with_outliers(other) / divisor).astype(np.float32)
        heavier = weight * divisor[:, None]
        loss_of[name] = loss(rows, heavier, round_to_nearest(heavier), round_activations(rows))
    assert loss_of["smoothed"] < 0.2 * loss_of["not"]


def test_channels_of_equal_range_are_not_smoothed():
    """A product at run time must reduce the error."""
    x = np.random.default_rng(0).uniform(-1, 1, (400, 64)).astype(np.float32)
    assert smoothing_scales(x, matrix(64), folded=False) is None


def test_zero_channels():
    x, weight = with_outliers(correlated()), matrix()
    x[:, 3] = 0
    weight[5] = 0
    scale = smoothing_scales(x, weight, folded=True)
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
    rounded = GptqRounder(x / scale).round(weight * scale[:, None])
    assert np.isfinite(rounded.scale).all()
    assert smoothing_scales(np.zeros_like(x), weight, folded=True) is None or np.isfinite(loss(x, weight, rounded))

"""The position embedding in int8, against PyTorch's convolution."""

import numpy as np
import pytest
from tiny import open_model

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import LinearLayers, QuantizedWeight
from abxfast.export.position import PositionConvolution

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")


def convolve(subject, x, **options):
    g = Graph()
    layers = LinearLayers("int8", **options)
    g.rename(PositionConvolution(subject.weights, layers).add(g, INPUT_NAME), OUTPUT_NAME)
    model = g.model("g", [value_info(INPUT_NAME, ["b", "t", 64])], [value_info(OUTPUT_NAME, None)])
    return open_model(model).run(None, {INPUT_NAME: x})[0]


@pytest.mark.parametrize("form", ["xlsr", "odd positions"])
@pytest.mark.parametrize("frames", [1, 3, 4, 5, 49, 130])
def test_int8_is_a_convolution(calibrated, form, frames):
    """Of the same rounded numbers, by PyTorch in float64."""
    subject = calibrated(form)
    x = np.random.default_rng(frames).standard_normal((2, frames, 64)).astype(np.float32)
    actual = convolve(subject, x)

    step = (x.max() - x.min()) / np.float32(255)
    zero_point = np.round(-x.min() / step)
    rounded = (np.clip(np.round(x / step) + zero_point, 0, 255) - zero_point).astype(np.float64) * step
    weight = subject.weights["encoder.pos_conv_embed.conv.weight"].astype(np.float64)
    scale = np.abs(weight).max(axis=(1, 2), keepdims=True) / 127
    expected = torch.nn.functional.conv1d(
        torch.from_numpy(rounded.transpose(0, 2, 1)),
        torch.from_numpy(np.round(weight / scale) * scale),
        torch.from_numpy(subject.weights["encoder.pos_conv_embed.conv.bias"].astype(np.float64)),
        padding=subject.architecture.pos_kernel // 2,
        groups=subject.architecture.pos_groups,
    ).numpy()
    expected = expected[..., :frames].transpose(0, 2, 1)
    assert actual.shape == expected.shape
    # A weight or input halfway between two steps may be rounded either way; at most one of each in a product.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2 * float(scale.max()) + 1e-4)
    assert np.abs(actual - expected).mean() < 1e-4


def test_each_group_has_its_own_weights(calibrated):
    subject = calibrated("xlsr")
    x = np.random.default_rng(0).standard_normal((1, 30, 64)).astype(np.float32)
    layer = PositionConvolution(subject.weights, LinearLayers()).banded_layer(5, 4, 33, 0)
    zeros = QuantizedWeight(np.zeros(layer.weight.shape, np.int8), np.ones(layer.weight.shape[1], np.float32))
    differs = (convolve(subject, x) != convolve(subject, x, quantized={"position.5": zeros})).any(axis=(0, 1))
    assert np.flatnonzero(differs).tolist() == [20, 21, 22, 23]

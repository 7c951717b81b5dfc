"""Which layers stay in fp32 in an fp16 encoder."""

import numpy as np
import onnx
import pytest
from tiny import SMALL, open_model

from abxfast.encoders import INPUT_NAME
from abxfast.export.builder import MAX_FP16_PEAK, unsafe_in_fp16

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
BLOCK = "encoder.layers.1"


@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base"])
def test_fp16_is_close_on_the_cpu(calibrated, form):
    subject = calibrated(form)
    model = subject.model(precision="fp16", chunk_frames=0)
    types = [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)]
    assert types == [onnx.TensorProto.FLOAT] * 2
    matrices = [t for t in model.graph.initializer if len(t.dims) == 2 and t.data_type != onnx.TensorProto.INT64]
    assert len(matrices) >= 6 + 1 + 6 * LAYERS
    assert [t.data_type for t in matrices].count(onnx.TensorProto.FLOAT) <= 1  # the first convolution
    assert subject.drift(precision="fp16", chunk_frames=0) < 0.005


def changed(weights, name, *, factor=1.0, index=(), value=None):
    """Return one weight by its name, multiplied by a factor or with an element replaced."""
    weight = factor * weights[name]
    if value is not None:
        weight[index] = value
    return {name: weight}


OVERFLOWS = {
    # changed weight: the change, and the inputs whose layers compute with it
    f"{BLOCK}.feed_forward.intermediate_dense.bias": (
        {"index": 5, "value": 1e5},
        {"blocks.1.ffn1", "blocks.1.ffn2"},
    ),
    f"{BLOCK}.feed_forward.output_dense.bias": ({"index": 7, "value": 1e5}, {"blocks.1.ffn2"}),
    f"{BLOCK}.feed_forward.output_dense.weight": ({"index": (3, 4), "value": 1e5}, {"blocks.1.ffn2"}),
    f"{BLOCK}.attention.v_proj.bias": ({"index": 5, "value": 1e6}, {"blocks.1.out"}),
    f"{BLOCK}.attention.q_proj.weight": ({"factor": np.float32(20_000)}, {"blocks.1.qkv"}),
    "feature_projection.projection.bias": ({"index": 3, "value": 1e5}, {"projection"}),
    "feature_extractor.conv_layers.3.conv.bias": ({"index": 3, "value": -1e5}, {"conv.3"}),
}


@pytest.mark.parametrize("name", OVERFLOWS)
def test_overflows_of_float16_are_found(calibrated, name):
    """In all that a graph holds in float16: weights, biases, products with their bias, attention scores."""
    subject = calibrated("xlsr")
    change, expected = OVERFLOWS[name]
    weights = subject.weights | changed(subject.weights, name, **change)
    unsafe = frozenset(unsafe_in_fp16(subject.peaks(weights)))
    assert expected <= unsafe
    assert len(unsafe) <= 3
    with np.errstate(over="raise"):  # when a weight is converted to float16
        model = subject.model(weights, precision="fp16", fp32_inputs=unsafe, chunk_frames=0)
    assert np.isfinite(open_model(model).run(None, {INPUT_NAME: subject.snippets[:1]})[0]).all()


def test_a_large_weight_on_a_silent_channel_counts(calibrated):
    """No product on the calibration audio shows it."""
    subject = calibrated("xlsr")
    prefix = f"{BLOCK}.feed_forward"
    weights = subject.weights | changed(subject.weights, f"{prefix}.output_dense.weight", index=(3, 4), value=1e5)
    weights |= changed(subject.weights, f"{prefix}.intermediate_dense.weight", index=4, value=0)
    weights |= changed(subject.weights, f"{prefix}.intermediate_dense.bias", index=4, value=-20)
    peaks = subject.peaks(weights)
    assert peaks["blocks.1.ffn2"] == pytest.approx(1e5)
    assert unsafe_in_fp16(peaks) == ["blocks.1.ffn2"]


def test_a_product_and_its_bias_count_together(calibrated):
    """Neither exceeds the limit of a layer in float16, but their sum does."""
    subject = calibrated("xlsr")
    weight, bias = (f"{BLOCK}.feed_forward.intermediate_dense.{kind}" for kind in ("weight", "bias"))
    weights = subject.weights | {weight: 1_000 * subject.weights[weight], bias: np.zeros_like(subject.weights[bias])}
    peaks = []
    for constant in (0, 15_500):
        weights[bias] = weights[bias] + np.float32(constant)
        peaks.append(subject.peaks(weights)["blocks.1.ffn1"])
    assert 1_000 < peaks[0] < MAX_FP16_PEAK < peaks[1]
    assert peaks[1] <= 15_501 + peaks[0]


def test_attention_scores_count(calibrated):
    """Queries and keys are within the limit of a layer in float16, their products are not."""
    subject = calibrated("xlsr")
    scaled = {
        name: 150 * subject.weights[name]
        for side in "qk"
        for name in (f"{BLOCK}.attention.{side}_proj.weight", f"{BLOCK}.attention.{side}_proj.bias")
    }
    assert unsafe_in_fp16(subject.peaks(subject.weights | scaled)) == ["blocks.1.qkv"]


def test_half_the_range_of_float16_is_too_much():
    """Other audio may be louder than that of the calibration."""
    assert unsafe_in_fp16({"a": 32_768.0, "b": 65_504.0, "c": 1e9, "d": 100.0}) == ["a", "b", "c"]

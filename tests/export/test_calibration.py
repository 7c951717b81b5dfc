"""Calibration: smoothing, int8 weights, peaks and losses, against transformers on the whole model."""

import numpy as np
import onnx
import pytest
from tiny import SMALL, hidden_states

from abxfast.encoders import INPUT_NAME
from abxfast.export.builder import MAX_FP16_PEAK
from abxfast.export.calibration import quantization_loss
from abxfast.export.cost import multiplications_per_frame
from abxfast.export.graph import Graph
from abxfast.export.linear import LinearLayers
from abxfast.export.transformer import Transformer

pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]


# -- smoothing and int8


@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base", "whisper"])
def test_smoothing_alone_changes_nothing(calibrated, form):
    """Any scales: folded into a norm or the values, or as a product, after the GELU and with post norm."""
    subject = calibrated(form)
    rng = np.random.default_rng(0)
    scales = {
        f"blocks.{i}.{kind}": np.exp(rng.normal(0, 1, 128 if kind == "ffn2" else 64)).astype(np.float32)
        for i in range(LAYERS)
        for kind in ("qkv", "out", "ffn1", "ffn2")
    }
    plain, smooth = subject.vectors(), subject.vectors(smoothing=scales)
    np.testing.assert_allclose(smooth, plain, rtol=0, atol=2e-5 * np.abs(plain).max())
    added = len(subject.model(smoothing=scales).graph.node) - len(subject.model().graph.node)
    assert added == LAYERS * (1 if subject.architecture.pre_norm else 3)


@pytest.mark.parametrize("form", ["stress", "base"])
def test_quantized_weights_are_those_of_the_smoothed_graph(calibrated, form):
    """Each is close to the weight that the smoothed graph multiplies by in fp32."""
    subject = calibrated(form)
    linear_layers, graph = LinearLayers(records={}), Graph()
    transformer = Transformer(subject.architecture, subject.weights, linear_layers, subject.calibration.smoothing)
    hidden = INPUT_NAME
    for i in range(LAYERS):
        hidden = transformer.block(graph, hidden, i)
    layers = {layer.name: layer for record in linear_layers.records.values() for layer in record.layers}
    assert len(layers) == 6 * LAYERS
    for name, layer in layers.items():
        weight8, scale = subject.calibration.quantized[name]
        error = np.abs(weight8 * scale - layer.weight) / np.abs(layer.weight).max(axis=0)
        assert error.max() < 0.15, name  # GPTQ moves weights by some steps of 1/127
        assert np.sqrt(np.square(error).mean()) < 0.02, name


def test_outlier_channels_do_not_ruin_int8(calibrated):
    """Smoothing and GPTQ on the stress checkpoint; without outliers, GPTQ alone reduces the drift."""
    stress = calibrated("stress")
    assert {f"blocks.{i}.{kind}" for i in (1, 2) for kind in ("qkv", "ffn1")} <= set(stress.calibration.smoothing)
    naive_drift, drift = stress.drift(precision="int8"), stress.drift(**stress.int8_options())
    assert naive_drift > 10 * drift
    assert drift < 0.02
    plain = calibrated("xlsr")
    assert plain.drift(**plain.int8_options()) < 0.9 * plain.drift(precision="int8")


@pytest.mark.parametrize("form", ["xlsr", "base", "mms"])
def test_int8_is_close_and_in_int8(calibrated, form):
    subject = calibrated(form)
    model = subject.model(**subject.int8_options())
    kinds = [node.op_type for node in model.graph.node]
    for node in model.graph.node:
        for attribute in node.attribute:
            kinds += [inner.op_type for inner in attribute.g.node]
    n_layers = LAYERS * (8 if form == "mms" else 6)
    assert kinds.count("MatMulIntegerToFloat") == n_layers + 1 + 6 + subject.architecture.pos_groups
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    assert {onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT16}.isdisjoint(t.data_type for t in weights.values())
    assert subject.drift(**subject.int8_options()) < 0.02


def test_each_input_can_be_kept_in_fp32(calibrated):
    """In fp32 with the smoothing of int8, the vectors are those of fp32."""
    subject = calibrated("stress")
    names = frozenset(multiplications_per_frame(subject.architecture, LAYERS))
    plain, options = subject.vectors(), subject.int8_options()
    kept = subject.vectors(**options, fp32_inputs=names)
    np.testing.assert_allclose(kept, plain, rtol=0, atol=2e-5 * np.abs(plain).max())
    for name in sorted(names):
        assert 0 < subject.drift(**options, fp32_inputs=names - {name}) < 0.02, name


# -- what is measured


def test_hidden_peaks_are_the_maxima_of_the_hidden_states(calibrated, checkpoint_of):
    subject = calibrated("base")
    maxima = [np.abs(hidden_states(checkpoint_of("base"), wave)).max(axis=(1, 2)) for wave in subject.waves]
    np.testing.assert_allclose(subject.calibration.hidden_peaks, np.max(maxima, axis=0), rtol=1e-4)
    assert subject.calibration.input_peaks == {}
    names = set(multiplications_per_frame(subject.architecture, LAYERS))
    assert set(subject.peaks(subject.weights)) == names - {"position"}


def test_attention_scores_are_measured(calibrated, checkpoint_of):
    """Neither queries nor keys exceed the range of float16, but their product does."""
    subject = calibrated("xlsr")
    block = "encoder.layers.1"
    scaled = {
        name: 150 * subject.weights[name]
        for side in "qk"
        for name in (f"{block}.attention.{side}_proj.weight", f"{block}.attention.{side}_proj.bias")
    }
    expected = 0
    for wave in subject.waves:
        x = hidden_states(checkpoint_of("xlsr"), wave)[1]
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + subject.architecture.norm_eps)
        x = x * subject.weights[f"{block}.layer_norm.weight"] + subject.weights[f"{block}.layer_norm.bias"]
        q = x @ scaled[f"{block}.attention.q_proj.weight"].T + scaled[f"{block}.attention.q_proj.bias"]
        k = x @ scaled[f"{block}.attention.k_proj.weight"].T
        assert max(np.abs(q).max(), np.abs(k).max()) < MAX_FP16_PEAK
        for head in range(4):
            columns = slice(16 * head, 16 * head + 16)
            expected = max(expected, np.abs(q[:, columns] @ k[:, columns].T).max() / 4)
    assert subject.peaks(subject.weights | scaled)["blocks.1.qkv"] == pytest.approx(expected, rel=1e-3)


def test_quantization_loss_finds_the_lossiest_layer(calibrated):
    """The quantized weights of one layer are damaged; its loss grows, and no other."""
    subject = calibrated("xlsr")
    before = quantization_loss(*subject.args, subject.calibration, normalise=subject.normalise)
    assert set(before) == set(multiplications_per_frame(subject.architecture, LAYERS))
    assert all(0 < loss < 0.01 for loss in before.values()), before
    for damaged in ("blocks.1.ffn2", "projection", "conv.3"):
        quantized = dict(subject.calibration.quantized)
        quantized[damaged] = quantized[damaged]._replace(weight=quantized[damaged].weight // 8 * 8)
        calibration = subject.calibration._replace(quantized=quantized)
        after = quantization_loss(*subject.args, calibration, normalise=subject.normalise)
        assert max(after, key=lambda name: after[name] / before[name]) == damaged
        assert after[damaged] > 10 * before[damaged]
        others = [name for name in before if name != damaged]
        np.testing.assert_allclose([after[name] for name in others], [before[name] for name in others])

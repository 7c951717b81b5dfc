"""Graphs in int8 and fp16: exact where they should be, and what real activations do to them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny import SMALL, drift_of, hidden_states, pooled, voice

from abxfast.encoders import INPUT_NAME, OUTPUT_NAME
from abxfast.export import builder as maker
from abxfast.export import transformer
from abxfast.export.calibration import calibrate, damages
from abxfast.export.checkpoint import open_checkpoint, read_weights
from abxfast.export.cost import multiplications
from abxfast.export.encoder_graph import Recipe, build
from abxfast.export.graph import Graph, value_info
from abxfast.export.linear import Linears, Rounded

torch = pytest.importorskip("torch", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]
CALIBRATION = [voice(6, seed) for seed in (100, 101)]
SNIPPETS = np.stack([voice(2, seed) for seed in range(12)])


class Subject:
    """A checkpoint, opened, calibrated and held against transformers."""

    def __init__(self, folder):
        checkpoint = open_checkpoint(str(folder))
        self.shape, self.normalise = checkpoint.architecture, checkpoint.normalise
        self.weights = read_weights(checkpoint, LAYERS)
        self.args = (self.shape, self.weights, CALIBRATION, LAYERS)
        self.calibrated = calibrate(*self.args, normalise=self.normalise)
        self.exact = np.stack([pooled(hidden_states(folder, wave)[-1:], ["max"])[0] for wave in SNIPPETS])

    def model(self, **options):
        return build(self.shape, self.weights, Recipe((LAYERS,), **options), normalise=self.normalise)

    def vectors(self, **options):
        session = opened(self.model(**options))
        return np.stack([session.run(None, {INPUT_NAME: wave[None]})[0][0, 0] for wave in SNIPPETS]).astype(float)

    def drift(self, **options):
        return drift_of(self.vectors(**options), self.exact).mean()

    def ours(self):
        return {"precision": "int8", "smoothing": self.calibrated.smoothing, "rounded": self.calibrated.rounded}


def opened(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def subject(checkpoint_of):
    made = {}

    def give(form):
        if form not in made:
            made[form] = Subject(checkpoint_of(form))
        return made[form]

    return give


# -- smoothing


@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base"])
def test_smoothing_is_exact_before_anything_is_rounded(subject, form):
    """Any scales at all; folded where a norm or the values come before, a product after the GELU and in post norm."""
    one = subject(form)
    rng = np.random.default_rng(0)
    scales = {
        f"blocks.{i}.{kind}": np.exp(rng.normal(0, 1, 128 if kind == "ffn2" else 64)).astype(np.float32)
        for i in range(LAYERS)
        for kind in ("qkv", "out", "ffn1", "ffn2")
    }
    plain, smooth = one.vectors(), one.vectors(smoothing=scales)
    np.testing.assert_allclose(smooth, plain, rtol=0, atol=2e-5 * np.abs(plain).max())
    added = len(one.model(smoothing=scales).graph.node) - len(one.model().graph.node)
    assert added == LAYERS * (1 if one.shape.stable else 3)


@pytest.mark.parametrize("form", ["stress", "base"])
def test_rounded_weights_are_those_of_the_smoothed_graph(subject, form):
    """What was rounded in calibration is what the graph multiplies with in fp32, layer by layer."""
    one = subject(form)
    linears = Linears(watched={})
    graph = Graph()
    parts = transformer.Transformer(one.shape, one.weights, linears, one.calibrated.smoothing)
    hidden = INPUT_NAME
    for i in range(LAYERS):
        hidden = parts.block(graph, hidden, i)
    layers = {layer.name: layer for one in linears.watched.values() for layer in one.layers}
    assert len(layers) == 6 * LAYERS
    for name, layer in layers.items():
        weight8, scale = one.calibrated.rounded[name]
        off = np.abs(weight8 * scale - layer.weight) / np.abs(layer.weight).max(axis=0)
        assert off.max() < 0.15, name  # GPTQ moves weights by some steps of 1/127
        assert np.sqrt(np.square(off).mean()) < 0.02, name


def test_the_stress_checkpoint_survives(subject):
    """Outlier channels ruin naive int8; smoothing and GPTQ do not let them, and without outliers GPTQ alone helps."""
    one = subject("stress")
    assert {f"blocks.{i}.{kind}" for i in (1, 2) for kind in ("qkv", "ffn1")} <= set(one.calibrated.smoothing)
    naive, ours = one.drift(precision="int8"), one.drift(**one.ours())
    assert naive > 10 * ours
    assert ours < 0.02
    plain = subject("xlsr")
    assert plain.drift(**plain.ours()) < 0.9 * plain.drift(precision="int8")


def test_peaks_are_the_greatest_numbers(subject, checkpoint_of):
    one = subject("base")
    states = [np.abs(hidden_states(checkpoint_of("base"), wave)).max(axis=(1, 2)) for wave in CALIBRATION]
    np.testing.assert_allclose(one.calibrated.greatest, np.max(states, axis=0), rtol=1e-4)
    assert one.calibrated.peaks == {}
    peaks = calibrate(*one.args, normalise=one.normalise, rounding=False).peaks
    assert set(peaks) == set(multiplications(one.shape, LAYERS)) - {"position"}


# -- the parts of an int8 graph


@pytest.mark.parametrize("form", ["xlsr", "odd positions"])
@pytest.mark.parametrize("frames", [1, 3, 4, 5, 49, 130])
def test_the_positions_in_int8_are_a_convolution(subject, form, frames):
    """Against PyTorch's convolution, in float64, of the same rounded numbers."""
    one = subject(form)
    g = Graph()
    out = transformer.Transformer(one.shape, one.weights, Linears("int8"), {})._position_int8(g, INPUT_NAME)
    g.rename(out, OUTPUT_NAME)
    model = g.model("g", [value_info(INPUT_NAME, ["b", "t", 64])], [value_info(OUTPUT_NAME, None)])
    x = np.random.default_rng(frames).standard_normal((2, frames, 64)).astype(np.float32)
    (found,) = opened(model).run(None, {INPUT_NAME: x})

    step = (x.max() - x.min()) / np.float32(255)
    zero = np.round(-x.min() / step)
    rounded = (np.clip(np.round(x / step) + zero, 0, 255) - zero).astype(np.float64) * step
    weight = one.weights["encoder.pos_conv_embed.conv.weight"].astype(np.float64)
    scale = np.abs(weight).max(axis=(1, 2), keepdims=True) / 127
    expected = torch.nn.functional.conv1d(
        torch.from_numpy(rounded.transpose(0, 2, 1)),
        torch.from_numpy(np.round(weight / scale) * scale),
        torch.from_numpy(one.weights["encoder.pos_conv_embed.conv.bias"].astype(np.float64)),
        padding=one.shape.pos_kernel // 2,
        groups=one.shape.pos_groups,
    ).numpy()
    expected = expected[..., :frames].transpose(0, 2, 1)
    assert found.shape == expected.shape
    # A weight or input between two steps may fall on either side; no more than one of each in a product.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2 * float(scale.max()) + 1e-4)
    assert np.abs(found - expected).mean() < 1e-4


def test_each_group_of_positions_has_its_own_weights(subject):
    one = subject("xlsr")
    x = np.random.default_rng(0).standard_normal((1, 30, 64)).astype(np.float32)

    def placed(rounded):
        g = Graph()
        parts = transformer.Transformer(one.shape, one.weights, Linears("int8", rounded=rounded), {})
        g.rename(parts._position_int8(g, INPUT_NAME), OUTPUT_NAME)
        model = g.model("g", [value_info(INPUT_NAME, ["b", "t", 64])], [value_info(OUTPUT_NAME, None)])
        return opened(model).run(None, {INPUT_NAME: x})[0]

    banded = transformer.Transformer(one.shape, one.weights, Linears(), {})._banded(5, 4, 4, 33, 0)
    nothing = Rounded(np.zeros(banded.weight.shape, np.int8), np.ones(banded.weight.shape[1], np.float32))
    differs = (placed({}) != placed({"position.5": nothing})).any(axis=(0, 1))
    assert np.flatnonzero(differs).tolist() == [20, 21, 22, 23]


@pytest.mark.parametrize("form", ["xlsr", "base", "mms"])
def test_int8_is_close_and_in_int8(subject, form):
    one = subject(form)
    model = one.model(**one.ours())
    products = [node.op_type for node in model.graph.node]
    for node in model.graph.node:
        for attribute in node.attribute:
            products += [inner.op_type for inner in attribute.g.node]
    blocks = LAYERS * (8 if form == "mms" else 6)
    assert products.count("MatMulIntegerToFloat") == blocks + 1 + 6 + one.shape.pos_groups
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    assert {onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT16}.isdisjoint(t.data_type for t in weights.values())
    assert one.drift(**one.ours()) < 0.02


def test_each_input_can_be_kept(subject):
    """What is kept is multiplied in fp32, with the smoothing of the rest, and the vectors come no farther off."""
    one = subject("stress")
    everything = frozenset(multiplications(one.shape, LAYERS))
    plain = one.vectors()
    ours = one.ours()
    np.testing.assert_allclose(one.vectors(**ours, kept=everything), plain, rtol=0, atol=2e-5 * np.abs(plain).max())
    for name in sorted(everything):
        drift = one.drift(**ours, kept=everything - {name})
        assert 0 < drift < 0.02, name


# -- what costs accuracy


def test_damage_finds_the_layer_that_costs_the_most(subject):
    """One layer's weights are spoilt after rounding; what it loses is measured, and it alone."""
    one = subject("xlsr")
    before = damages(*one.args, one.calibrated, normalise=one.normalise)
    assert set(before) == set(multiplications(one.shape, LAYERS))
    assert all(0 < lost < 0.01 for lost in before.values()), before
    for spoilt in ("blocks.1.ffn2", "projection", "conv.3"):
        rounded = dict(one.calibrated.rounded)
        rounded[spoilt] = rounded[spoilt]._replace(weight=rounded[spoilt].weight // 8 * 8)
        after = damages(*one.args, one.calibrated._replace(rounded=rounded), normalise=one.normalise)
        assert max(after, key=lambda name: after[name] / before[name]) == spoilt
        assert after[spoilt] > 10 * before[spoilt]
        others = [name for name in before if name != spoilt]
        np.testing.assert_allclose([after[name] for name in others], [before[name] for name in others])


def test_cost_is_the_number_of_multiplications(subject):
    """Counted by PyTorch's own hooks on the model: weights × rows, for a second of frames."""
    one = subject("mms")
    found = multiplications(one.shape, LAYERS)
    assert found["blocks.0.qkv"] == 3 * 64 * 64
    assert found["blocks.1.ffn2"] == found["blocks.1.ffn1"] == 64 * 128
    assert found["blocks.2.linear_1"] == 64 * 16
    assert found["conv.1"] == 32 * 3 * 32 * 32  # 32 rows of 10 samples in a frame of 320
    assert found["conv.6"] == 1 * 2 * 32 * 32
    assert found["position"] == one.weights["encoder.pos_conv_embed.conv.weight"].size


# -- fp16


@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "hubert base"])
def test_fp16_is_close_on_the_processor(subject, form):
    one = subject(form)
    model = one.model(precision="fp16", chunk=0)
    ends = [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)]
    assert ends == [onnx.TensorProto.FLOAT] * 2
    matrices = [t for t in model.graph.initializer if len(t.dims) == 2 and t.data_type != onnx.TensorProto.INT64]
    assert len(matrices) >= 6 + 1 + 6 * LAYERS
    assert [t.data_type for t in matrices].count(onnx.TensorProto.FLOAT) <= 1  # the first convolution
    assert one.drift(precision="fp16", chunk=0) < 0.005


def beyond(weights, name, factor=1.0, at=(), to=None):
    """Give weights of which one is another, or multiplied."""
    spoilt = weights[name].copy()
    if to is None:
        spoilt *= factor
    else:
        spoilt[at] = to
    return {name: spoilt}


BLOCK = "encoder.layers.1"
HUGE = {
    # what is spoilt: the inputs of layers that meet it
    f"{BLOCK}.feed_forward.intermediate_dense.bias": ({"at": 5, "to": 1e5}, {"blocks.1.ffn1", "blocks.1.ffn2"}),
    f"{BLOCK}.feed_forward.output_dense.bias": ({"at": 7, "to": 1e5}, {"blocks.1.ffn2"}),
    f"{BLOCK}.feed_forward.output_dense.weight": ({"at": (3, 4), "to": 1e5}, {"blocks.1.ffn2"}),
    f"{BLOCK}.attention.v_proj.bias": ({"at": 5, "to": 1e6}, {"blocks.1.out"}),
    f"{BLOCK}.attention.q_proj.weight": ({"factor": 20_000}, {"blocks.1.qkv"}),
    "feature_projection.projection.bias": ({"at": 3, "to": 1e5}, {"projection"}),
    "feature_extractor.conv_layers.3.conv.bias": ({"at": 3, "to": -1e5}, {"conv.3"}),
}


@pytest.mark.parametrize("name", HUGE)
def test_numbers_that_float16_does_not_hold_are_found(subject, name):
    """Weights, biases, what a bias makes of a product, scores of attention: all of what a graph in float16 holds."""
    one = subject("xlsr")
    options, expected = HUGE[name]
    weights = one.weights | beyond(one.weights, name, **options)
    calibrated = calibrate(one.shape, weights, CALIBRATION, LAYERS, normalise=one.normalise, rounding=False)
    kept = frozenset(maker.risky(calibrated.peaks))
    assert expected <= kept
    assert len(kept) <= 3
    recipe = Recipe((LAYERS,), precision="fp16", kept=kept, chunk=0)
    with np.errstate(over="raise"):  # of a weight, as it is made float16
        model = build(one.shape, weights, recipe, normalise=one.normalise)
    assert np.isfinite(opened(model).run(None, {INPUT_NAME: SNIPPETS[:1]})[0]).all()


def test_a_weight_that_meets_nothing_counts(subject):
    """Its channel is silent on the audio of the calibration, so that no product tells of it."""
    one = subject("xlsr")
    at = f"{BLOCK}.feed_forward"
    weights = one.weights | beyond(one.weights, f"{at}.output_dense.weight", at=(3, 4), to=1e5)
    weights |= beyond(one.weights, f"{at}.intermediate_dense.weight", at=4, to=0)
    weights |= beyond(one.weights, f"{at}.intermediate_dense.bias", at=4, to=-20)
    peaks = calibrate(one.shape, weights, CALIBRATION, LAYERS, normalise=one.normalise, rounding=False).peaks
    assert peaks["blocks.1.ffn2"] == pytest.approx(1e5)
    assert maker.risky(peaks) == ["blocks.1.ffn2"]


def test_a_product_and_its_bias_count_together(subject):
    """Neither is beyond what a layer in float16 may meet, but their sum is."""
    one = subject("xlsr")
    weight, bias = (f"{BLOCK}.feed_forward.intermediate_dense.{kind}" for kind in ("weight", "bias"))
    weights = one.weights | {weight: 1_000 * one.weights[weight], bias: np.zeros_like(one.weights[bias])}
    found = []
    for constant in (0, 15_500):
        weights[bias] = weights[bias] + np.float32(constant)
        calibrated = calibrate(one.shape, weights, CALIBRATION, LAYERS, normalise=one.normalise, rounding=False)
        found.append(calibrated.peaks["blocks.1.ffn1"])
    assert 1_000 < found[0] < maker.MAX_HALF < found[1]
    assert found[1] <= 15_501 + found[0]


def test_scores_of_attention_are_measured(subject, checkpoint_of):
    """Neither queries nor keys are beyond what float16 holds, but their product is."""
    one = subject("xlsr")
    at = f"{BLOCK}.attention"
    spoilt = {
        name: 150 * one.weights[name]
        for side in "qk"
        for name in (f"{at}.{side}_proj.weight", f"{at}.{side}_proj.bias")
    }
    calibrated = calibrate(
        one.shape, one.weights | spoilt, CALIBRATION, LAYERS, normalise=one.normalise, rounding=False
    )
    expected = 0
    for wave in CALIBRATION:
        x = hidden_states(checkpoint_of("xlsr"), wave)[1]
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + one.shape.eps)
        x = x * one.weights[f"{BLOCK}.layer_norm.weight"] + one.weights[f"{BLOCK}.layer_norm.bias"]
        q = x @ spoilt[f"{at}.q_proj.weight"].T + spoilt[f"{at}.q_proj.bias"]
        k = x @ spoilt[f"{at}.k_proj.weight"].T
        assert max(np.abs(q).max(), np.abs(k).max()) < maker.MAX_HALF
        for head in range(4):
            some = slice(16 * head, 16 * head + 16)
            expected = max(expected, np.abs(q[:, some] @ k[:, some].T).max() / 4)
    assert calibrated.peaks["blocks.1.qkv"] == pytest.approx(expected, rel=1e-3)
    assert maker.risky(calibrated.peaks) == ["blocks.1.qkv"]


def test_half_of_what_float16_holds_is_too_much():
    """Other audio may be louder than that of the calibration."""
    assert maker.risky({"a": 32_768.0, "b": 65_504.0, "c": 1e9, "d": 100.0}) == ["a", "b", "c"]

"""The graph is the model: every hidden state of every form, against the whole model in transformers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny import FORMS, SMALL, hidden_states, load_checkpoint, make_checkpoint, open_model, pooled, voice

from abxfast.export.encoder_graph import GraphOptions, build_encoder
from abxfast.export.graph import OPSETS
from abxfast.export.weights import read_weights

LAYERS = SMALL["num_hidden_layers"]
ALL = GraphOptions(tuple(range(LAYERS + 1)), ("max", "mean", "std"))
RECEPTIVE = 400


def model_of(folder, options=ALL):
    checkpoint = load_checkpoint(folder)
    weights = read_weights(checkpoint, max(options.layers))
    return build_encoder(checkpoint.architecture, weights, options, normalise=checkpoint.normalise)


def session_of(folder, options=ALL):
    return open_model(model_of(folder, options))


def run(session, waves):
    return session.run(None, {"input_values": np.atleast_2d(waves)})[0]


def difference(actual, expected):
    """Return the maximum over variants of maximum |Δ| over maximum |reference|."""
    return (np.abs(actual - expected).max(axis=-1) / np.abs(expected).max(axis=-1)).max()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seconds", [1, 3.7])
def test_layer_k_is_hidden_state_k_of_the_whole_model(checkpoint_of, form, seconds):
    folder, wave = checkpoint_of(form), voice(seconds)
    states = hidden_states(folder, wave)
    assert len(states) == LAYERS + 1
    actual = run(session_of(folder), wave)[0]
    assert difference(actual, pooled(states)) < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seconds", [10, 20])
def test_long_snippets(checkpoint_of, form, seconds):
    folder, wave = checkpoint_of(form), voice(seconds, seed=1)
    actual = run(session_of(folder), wave)[0]
    assert difference(actual, pooled(hidden_states(folder, wave))) < 1e-5


@pytest.mark.parametrize("form", ["xlsr", "base", "whisper"])
def test_a_truncated_graph_equals_the_complete_one(checkpoint_of, form):
    wave = voice(1.3)
    whole = run(session_of(checkpoint_of(form)), wave)[0].reshape(LAYERS + 1, 3, -1)
    for layer in range(LAYERS + 1):
        one = run(session_of(checkpoint_of(form), GraphOptions((layer,), ("max",))), wave)[0]
        np.testing.assert_allclose(one[0], whole[layer, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["xlsr", "base", "mms", "whisper"])
def test_a_batch_equals_its_snippets(checkpoint_of, form):
    session = session_of(checkpoint_of(form))
    waves = np.stack([voice(1.1, seed) for seed in range(3)])
    together = run(session, waves)
    assert together.shape == (3, len(ALL.variants), SMALL["hidden_size"])
    for wave, actual in zip(waves, together, strict=True):
        assert difference(run(session, wave)[0], actual) < 1e-5


@pytest.mark.parametrize("form", ["xlsr", "base"])
@pytest.mark.parametrize("samples", [RECEPTIVE, RECEPTIVE + 1, 719, 720, 8_079, 8_080, 8_081, 8_399, 8_400])
def test_no_frame_is_lost_at_the_edges(checkpoint_of, form, samples):
    """One frame, its last sample, the last of a chunk of 25 (8,080 samples) and the first of the next."""
    wave = voice(1)[:samples]
    states = hidden_states(checkpoint_of(form), wave)
    assert states.shape[1] == (samples - RECEPTIVE) // 320 + 1
    assert difference(run(session_of(checkpoint_of(form)), wave)[0][0::3], pooled(states, ["max"])) < 1e-5


@pytest.mark.parametrize("form", ["xlsr", "base"])
def test_chunks_do_not_change_vectors(checkpoint_of, form):
    wave = voice(2.03)
    whole = run(session_of(checkpoint_of(form), GraphOptions((LAYERS,), chunk_frames=0)), wave)
    for chunk in (1, 7, 25, 400):
        actual = run(session_of(checkpoint_of(form), GraphOptions((LAYERS,), chunk_frames=chunk)), wave)
        np.testing.assert_allclose(actual, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["xlsr", "base"])
def test_a_quiet_waveform_stays_exact(checkpoint_of, form):
    """Statistics over time are differences of large sums; 1e-3 of full scale, off zero, is a quiet field recording."""
    wave = voice(2, offset=0.3) * np.float32(1e-3)
    actual = run(session_of(checkpoint_of(form)), wave)[0]
    assert difference(actual, pooled(hidden_states(checkpoint_of(form), wave))) < 1e-4


def test_silence_has_a_finite_vector(checkpoint_of):
    for form in ("xlsr", "base", "whisper"):
        assert np.isfinite(run(session_of(checkpoint_of(form)), np.zeros(16_000, np.float32))).all()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("form", FORMS)
def test_the_model_is_valid(checkpoint_of, form, precision):
    model = model_of(checkpoint_of(form), GraphOptions((0, 2), ("max", "std"), precision))
    onnx.checker.check_model(model, full_check=True)
    assert {(o.domain, o.version) for o in model.opset_import} == set(OPSETS.items())
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    for nodes in (model.graph.node, *(a.g.node for n in model.graph.node for a in n.attribute if a.HasField("g"))):
        assert {node.op_type for node in nodes}.isdisjoint({"ConvInteger", "QLinearConv"})


@pytest.mark.filterwarnings("ignore")  # raised inside optimum and torch
def test_vectors_equal_those_of_optimums_export(checkpoint_of, tmp_path):
    """The truncated, pooled model as Optimum exports it from PyTorch: another graph, the same vectors."""
    torch = pytest.importorskip("torch")
    exporter = pytest.importorskip("optimum.exporters.onnx", reason="needs the export extra")
    from optimum.exporters.onnx.model_configs import Wav2Vec2OnnxConfig
    from transformers import Wav2Vec2Model, Wav2Vec2PreTrainedModel

    class Pooled(Wav2Vec2PreTrainedModel):
        def __init__(self, model):
            super().__init__(model.config)
            self.model = model

        def forward(self, input_values):
            centred = input_values - input_values.mean(-1, keepdim=True)
            wave = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-7)
            return {"embeddings": self.model(wave).last_hidden_state.amax(1, keepdim=True)}

    class Config(Wav2Vec2OnnxConfig):
        inputs = property(lambda _: {"input_values": {0: "batch", 1: "samples"}})
        outputs = property(lambda _: {"embeddings": {0: "batch"}})

    layer = 2
    model = Wav2Vec2Model.from_pretrained(checkpoint_of("xlsr"), attn_implementation="eager").eval()
    model.encoder.layers = model.encoder.layers[:layer]
    model.encoder.layer_norm = torch.nn.Identity()
    model.config.num_hidden_layers = layer
    torch.nn.utils.parametrize.remove_parametrizations(model.encoder.pos_conv_embed.conv, "weight")
    exporter.export(Pooled(model).eval(), Config(model.config, task="feature-extraction"), tmp_path / "theirs.onnx")

    theirs = onnxruntime.InferenceSession(tmp_path / "theirs.onnx", providers=["CPUExecutionProvider"])
    ours = session_of(checkpoint_of("xlsr"), GraphOptions((layer,)))
    waves = np.stack([voice(1.5, seed) for seed in range(2)])
    assert difference(run(ours, waves), run(theirs, waves)) < 1e-5


def test_other_weights_give_other_vectors(checkpoint_of, tmp_path):
    other = make_checkpoint(tmp_path, "xlsr", seed=1)
    wave = voice(1)
    assert difference(run(session_of(other), wave)[0], run(session_of(checkpoint_of("xlsr")), wave)[0]) > 1e-2

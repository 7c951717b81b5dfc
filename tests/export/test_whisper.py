"""Whisper: the spectrogram, padding, the greatest length, and the names of weights."""

import json

import numpy as np
import pytest
from tiny import (
    RATE_HZ,
    SMALL,
    copy_checkpoint,
    hidden_states,
    load_checkpoint,
    load_weights,
    open_model,
    pooled,
    voice,
    whisper_hidden_states,
)

from abxfast.encoders import INPUT_NAME, Encoder
from abxfast.errors import ExportError
from abxfast.export import export
from abxfast.export.encoder_graph import GraphOptions, build_encoder
from abxfast.export.graph import Graph, value_info
from abxfast.export.parity import TorchReference
from abxfast.export.weights import read_weights

transformers = pytest.importorskip("transformers", reason="needs the export extra: pip install '.[test,export]'")
LAYERS = SMALL["num_hidden_layers"]


def log_mel(folder, waves):
    g = Graph()
    g.rename(load_checkpoint(folder).architecture.add_log_mel(g, INPUT_NAME), "mel")
    model = g.model("mel", [value_info(INPUT_NAME, ["b", "n"])], [value_info("mel", None)])
    return open_model(model).run(None, {INPUT_NAME: waves})[0]


def quiet_half(seconds):
    """Return a waveform of which half is 80 dB below the rest: the spectrogram is cut off there."""
    wave = voice(seconds)
    wave[len(wave) // 2 :] *= np.float32(1e-4)
    return wave


WAVES = {
    "a voice": voice(1.5),
    "one window": voice(1)[:201],
    "an odd number of frames": voice(1)[:1_299],
    "a pure tone": np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(RATE_HZ)).astype(np.float32),
    "a quiet half": quiet_half(2),
    "silence": np.zeros(4_000, np.float32),
}


@pytest.mark.parametrize("wave", WAVES)
@pytest.mark.parametrize("form", ["whisper", "whisper, 128 bands"])
def test_the_spectrogram_is_that_of_transformers(checkpoint_of, form, wave):
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(checkpoint_of(form))
    expected = extractor._np_extract_fbank_features([WAVES[wave]], "cpu")[0]
    actual = log_mel(checkpoint_of(form), WAVES[wave][None])[0]
    np.testing.assert_allclose(actual.T, expected, rtol=0, atol=1e-4)


def test_the_spectrogram_of_a_waveform_does_not_depend_on_its_batch(checkpoint_of):
    waves = np.stack([voice(1), 1e-3 * voice(1, seed=1)]).astype(np.float32)
    together = log_mel(checkpoint_of("whisper"), waves)
    np.testing.assert_allclose(together[1], log_mel(checkpoint_of("whisper"), waves[1:])[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("seconds", [1, 3.711, 22])
def test_padding_leaves_the_frames_of_the_snippet(checkpoint_of, seconds):
    """As the whole model in transformers computes them from 30 s, which is what Whisper was trained on."""
    folder, wave = checkpoint_of("whisper"), voice(seconds)
    checkpoint = load_checkpoint(folder, pad_s=30)
    options = GraphOptions(tuple(range(LAYERS + 1)), ("max", "mean", "std"))
    weights = read_weights(checkpoint, LAYERS)
    model = build_encoder(checkpoint.architecture, weights, options, normalise=False)
    actual = open_model(model).run(None, {INPUT_NAME: wave[None]})[0][0]
    expected = pooled(whisper_hidden_states(folder, wave, padded_samples=480_000))
    assert (np.abs(actual - expected).max(axis=-1) / np.abs(expected).max(axis=-1)).max() < 1e-4

    whole = transformers.WhisperModel.from_pretrained(folder).encoder
    features = transformers.WhisperFeatureExtractor.from_pretrained(folder)(
        wave, sampling_rate=RATE_HZ, return_tensors="pt"
    ).input_features
    states = whole(features, output_hidden_states=True).hidden_states
    frames = -(-(len(wave) // 160) // 2)
    in_transformers = pooled([state[0, :frames].detach().numpy().astype(np.float64) for state in states])
    assert (np.abs(actual - in_transformers).max(axis=-1) / np.abs(in_transformers).max(axis=-1)).max() < 1e-4


@pytest.mark.parametrize("pad_s", [0, 5, 30])
def test_the_reference_is_transformers(checkpoint_of, pad_s):
    """Padded and not, for an even and an odd number of frames of the spectrogram."""
    checkpoint = load_checkpoint(checkpoint_of("whisper"), pad_s=pad_s)
    reference = TorchReference(checkpoint, range(LAYERS + 1), ["max", "mean", "std"])
    for seconds in (2, 3.71, 6):
        wave = voice(seconds)
        padded = max(round(pad_s * RATE_HZ), len(wave))
        expected = pooled(whisper_hidden_states(checkpoint_of("whisper"), wave, padded_samples=padded))
        actual = reference(wave)
        assert (np.abs(actual - expected).max(axis=-1) / np.abs(expected).max(axis=-1)).max() < 1e-3


def test_the_longest_snippet(checkpoint_of, recordings, tmp_path):
    """As many frames as the model has positions for: 22 s here."""
    folder = checkpoint_of("whisper, bare")
    result = export(str(folder), tmp_path / "m.onnx", precision="fp32", layers=(LAYERS,), check=recordings)
    assert result.info.most_samples == 1_100 * 320
    assert Encoder(result.path, "cpu").info.most_samples == 1_100 * 320
    wave = voice(22)
    assert len(wave) == result.info.most_samples
    expected = pooled(hidden_states(folder, wave)[-1:], ["max"])
    actual = Encoder(result.path, "cpu").encode(wave[None])[0]
    assert np.abs(actual - expected).max() < 1e-4 * np.abs(expected).max()
    assert result.info.parity["normalisation by"].startswith("no preprocessor_config.json")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_padding_encoder_says_so(checkpoint_of, recordings, tmp_path, precision):
    options = {"precision": precision, "layers": (2,), "check": recordings}
    result = export(str(checkpoint_of("whisper")), tmp_path / "m.onnx", pad_s=3, **options)
    assert result.info.parity["snippets padded to"] == 3.0
    assert result.info.normalisation == "none"


def test_paddings_that_are_not_possible(checkpoint_of, tmp_path):
    for form, pad_s, expected in (
        ("whisper", 31, r"^`pad_s=31`: the model takes at most 30 s$"),
        ("whisper", -1, r"^`pad_s`: found -1, expected a number of seconds from 0$"),
        ("whisper", float("nan"), r"^`pad_s`: found nan"),
        ("xlsr", 30, r"^`pad_s=30`: wav2vec2 was not trained on padded snippets; omit it$"),
    ):
        with pytest.raises(ExportError, match=expected):
            export(str(checkpoint_of(form)), tmp_path / "m.onnx", layers=(1,), pad_s=pad_s)


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        ("config.json", {"activation_function": "relu"}, "activation_function is 'relu', only 'gelu' is supported"),
        ("config.json", {"encoder_layers": 0}, "a size is not positive"),
        ("config.json", {"num_mel_bins": 0}, "a size is not positive"),
        ("config.json", {"encoder_attention_heads": 7}, "not a multiple of the number of heads"),
        ("config.json", {"d_model": "wide"}, "cannot be read as the shape of a whisper model"),
        ("preprocessor_config.json", {"feature_size": 128}, "feature_size is 128, only 80 is supported"),
        ("preprocessor_config.json", {"n_fft": 512}, "n_fft is 512, only 400 is supported"),
        ("preprocessor_config.json", {"hop_length": 80}, "hop_length is 80, only 160 is supported"),
        ("preprocessor_config.json", {"dither": 0.1}, "dither is 0.1, only 0.0 is supported"),
        ("preprocessor_config.json", {"sampling_rate": 8_000}, "sampling_rate is 8000, expected 16000"),
    ],
)
def test_settings_that_are_not_supported(checkpoint_of, tmp_path, file, change, expected):
    folder = copy_checkpoint(checkpoint_of("whisper"), tmp_path / "whisper", {})
    settings = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(settings | change))
    with pytest.raises(ExportError, match=expected) as caught:
        load_checkpoint(folder)
    assert file in str(caught.value)


def test_weights_are_read_by_the_names_of_whisper(checkpoint_of, tmp_path):
    """With and without a head; an incomplete or foreign checkpoint is rejected by those names."""
    weights = load_weights(checkpoint_of("whisper"))
    fc1 = "encoder.layers.1.fc1.weight"
    assert f"model.{fc1}" in weights
    bare = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    folder = copy_checkpoint(checkpoint_of("whisper"), tmp_path / "bare", bare)
    expected, actual = (read_weights(load_checkpoint(source), LAYERS) for source in (checkpoint_of("whisper"), folder))
    assert expected.keys() == actual.keys()
    np.testing.assert_array_equal(actual["encoder.layers.1.feed_forward.intermediate_dense.weight"], bare[fc1])

    for name, changed, message in (
        ("less", {key: value for key, value in bare.items() if key != fc1}, f"the weights lack {fc1}"),
        ("more", bare | {"encoder.layers.1.adapter.weight": bare[fc1].clone()}, "does not have: encoder.layers.1.adap"),
        ("other", bare | {fc1: bare[fc1][:, :5].clone()}, f"{fc1} has shape"),
    ):
        broken = copy_checkpoint(checkpoint_of("whisper"), tmp_path / name, changed)
        with pytest.raises(ExportError, match=message):
            read_weights(load_checkpoint(broken), LAYERS)


def test_int8_has_a_scale_for_each_frame_of_the_feed_forward(calibrated):
    """A frame of a trained model may have values that no other has, and no calibration audio reaches."""
    subject = calibrated("whisper")
    nodes = [node.op_type for node in subject.model(**subject.int8_options()).graph.node]
    assert nodes.count("ReduceMax") == LAYERS + 2  # of the spectrogram and of the pooling
    assert subject.drift(**subject.int8_options()) < 0.03

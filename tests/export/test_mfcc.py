"""The mfcc encoder, against librosa and numpy."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.encoders import EncoderInfo, find_encoder
from abxfast.export import mfcc

librosa = pytest.importorskip("librosa")

RATE_HZ = 16_000


def session(*, pooled):
    return onnxruntime.InferenceSession(
        mfcc.build_mfcc(pooled=pooled).SerializeToString(), providers=["CPUExecutionProvider"]
    )


FRAMES, POOLED = session(pooled=False), session(pooled=True)


def run(graph, wave):
    return graph.run(None, {"input_values": np.asarray(wave, np.float32)[None]})[0][0]


def reference(wave):
    """Return the MFCC of librosa in float64: ``(frames, 26)``."""
    power = librosa.feature.melspectrogram(
        y=np.asarray(wave, np.float32).astype(np.float64),
        sr=RATE_HZ,
        n_fft=400,
        hop_length=160,
        center=False,
        n_mels=40,
        fmin=20,
        fmax=8_000,
        htk=False,
    )
    cepstra = librosa.feature.mfcc(S=librosa.power_to_db(power, amin=1e-10, top_db=None), n_mfcc=14)[1:]
    return np.concatenate([cepstra, librosa.feature.delta(cepstra, width=5, mode="nearest")]).T


def time_s(seconds=2.0):
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def noise(seed=0, level=0.1, seconds=2.0):
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


def voice():
    """Return a buzz of varying pitch and loudness with a little noise, which has the spectrum of a voice."""
    t = time_s()
    turns = np.cumsum(120 + 20 * np.sin(2 * np.pi * 3 * t)) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * k * turns) / k**1.5 for k in range(1, 30))
    return 0.2 * buzz * np.clip(np.sin(2 * np.pi * 2 * t), 0, 1) + noise(level=1e-4)


SIGNALS = {
    "noise": (noise(), 1e-3),
    "faint noise": (noise(level=1e-4), 1e-3),
    "voice": (voice(), 1e-3),
    "sine": (0.5 * np.sin(2 * np.pi * 440 * time_s()), 1e-3),
    # Far from its peak a sine leaves bands with 1e-14 of its power, which is what a float32 sum of products resolves.
    "loud high sine": (0.5 * np.sin(2 * np.pi * 3000.7 * time_s()), 2e-2),
    "silence, then noise": (np.concatenate([np.zeros(8_000), noise()]), 1e-3),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_frames_are_those_of_librosa(name):
    wave, tolerance_db = SIGNALS[name]
    actual, expected = run(FRAMES, wave), reference(wave)
    assert actual.shape == expected.shape == ((len(wave) - 400) // 160 + 1, 26)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance_db)


@pytest.mark.parametrize("name", SIGNALS)
def test_pooled_vectors_are_those_of_numpy(name):
    frames = run(FRAMES, SIGNALS[name][0]).astype(np.float64)
    expected = np.stack([frames.max(axis=0), frames.mean(axis=0), frames.std(axis=0)])
    np.testing.assert_allclose(run(POOLED, SIGNALS[name][0]), expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(400, 3_000))
def test_any_length_has_all_frames(seed, samples):
    wave = noise(seed)[:samples]
    actual = run(FRAMES, wave)
    assert actual.shape == ((samples - 400) // 160 + 1, 26)
    if len(actual) >= 5:  # librosa needs as many for deltas
        np.testing.assert_allclose(actual, reference(wave), rtol=0, atol=1e-3)


@pytest.mark.parametrize("gain", [0.05, 0.5, 4.0])
def test_gain_does_not_change_the_vector(gain):
    wave = noise(level=0.05)
    np.testing.assert_allclose(run(POOLED, gain * wave), run(POOLED, wave), rtol=0, atol=1e-3)


@pytest.mark.parametrize("samples", [400, 16_000, 160_000])
def test_silence_is_the_zero_vector(samples):
    assert not run(POOLED, np.zeros(samples)).any()


def test_the_file_in_the_package_is_what_the_script_writes(tmp_path, monkeypatch):
    written = tmp_path / "mfcc.onnx"
    monkeypatch.setattr("sys.argv", ["mfcc", "-o", str(written)])
    mfcc.main()
    packaged = find_encoder("mfcc").read_bytes()
    assert len(packaged) < 10_000
    # Not the bytes: their layout depends on the version of protobuf.
    assert onnx.load_from_string(packaged) == onnx.load(written)


def test_the_graph_is_valid_and_describes_itself():
    model = onnx.load(find_encoder("mfcc"))
    onnx.checker.check_model(model, full_check=True)
    info = EncoderInfo.from_metadata({pair.key: pair.value for pair in model.metadata_props}, "mfcc.onnx")
    assert (info.name, info.variants, info.default_variant) == (
        "mfcc",
        ("mfcc.max", "mfcc.mean", "mfcc.std"),
        "mfcc.max",
    )
    assert (info.sample_rate_hz, info.least_samples, info.frame_hop_samples) == (RATE_HZ, 400, 160)
    assert not onnx.load_from_string(mfcc.build_mfcc(pooled=False).SerializeToString()).metadata_props

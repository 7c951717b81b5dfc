"""Copies of recordings are found however they are encoded, and nothing else is."""

import itertools

import numpy as np
import pytest
import soundfile
import soxr

from abxfast.audio import find_audio_copies, measure_quality
from abxfast.synthetic_speech import write_corpus

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Two recordings of synthetic speech with different content, 20 s each, at 16 kHz."""
    folder = tmp_path_factory.mktemp("speech")
    write_corpus(folder)
    paths = sorted(folder.rglob("room-studio-*.wav"))[:2]
    return [soxr.resample(*soundfile.read(path, stop=20 * soundfile.info(path).samplerate), RATE_HZ) for path in paths]


def measure(folder, name, wave, rate_hz=RATE_HZ, **options):
    path = folder / name
    soundfile.write(path, wave, rate_hz, **options)
    return measure_quality(path)


def find(measured):
    return find_audio_copies(
        {name: quality.fingerprint for name, quality in measured.items()},
        {name: quality.seconds for name, quality in measured.items()},
    )


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", {"subtype": "ULAW"}),
        ("wav", {"subtype": "IMA_ADPCM"}),
        ("ogg", {"format": "OGG", "subtype": "VORBIS", "compression_level": 1.0}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    ],
)
def test_another_codec_is_a_copy(tmp_path, speech, suffix, options):
    measured = {"original": measure(tmp_path, "a.wav", speech[0])}
    measured["coded"] = measure(tmp_path, f"b.{suffix}", 0.3 * speech[0], **options)
    measured["other"] = measure(tmp_path, "c.wav", speech[1])
    (copy,) = find(measured)
    assert (copy.recording, copy.other) == ("original", "coded")
    assert copy.correlation > 0.9
    assert copy.gain_db == pytest.approx(20 * np.log10(0.3), abs=1)
    assert copy.offset_s == pytest.approx(0, abs=0.07)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100])
def test_another_rate_is_a_copy(tmp_path, speech, rate_hz):
    measured = {"a": measure(tmp_path, "a.wav", speech[0])}
    measured["b"] = measure(tmp_path, "b.wav", soxr.resample(speech[0], RATE_HZ, rate_hz), rate_hz)
    assert [(copy.recording, copy.other) for copy in find(measured)] == [("a", "b")]


@pytest.mark.parametrize("excess_s", [-4.217, -0.137, 0.531, 3.3])
def test_seconds_cut_off_or_put_before_leave_a_copy(tmp_path, speech, excess_s):
    n = round(abs(excess_s) * RATE_HZ)
    changed = np.concatenate((np.zeros(n), speech[0])) if excess_s > 0 else speech[0][n:]
    measured = {"a": measure(tmp_path, "a.wav", speech[0]), "b": measure(tmp_path, "b.wav", changed)}
    (copy,) = find(measured)
    assert copy.offset_s == pytest.approx(excess_s, abs=0.03)


def test_the_fingerprint_does_not_depend_on_the_blocks_of_the_stream(speech):
    from abxfast.audio.fingerprint import FingerprintMeter

    texts = []
    for block in (1_000, 32_000):
        meter = FingerprintMeter(8_000)
        for start in range(0, len(speech[0]), block):
            meter.feed(speech[0][start : start + block])
        texts.append(meter.fingerprint())
    assert texts[0] == texts[1]


def test_noise_and_tones_are_no_copies_of_each_other(tmp_path):
    time = np.arange(5 * RATE_HZ) / RATE_HZ
    waves = [0.1 * np.random.default_rng(seed).standard_normal(len(time)) for seed in range(3)]
    waves += [0.3 * np.sin(2 * np.pi * hz * time) for hz in (440, 440, 1000)]
    waves += [np.full(len(time), 1e-4), waves[0][: RATE_HZ // 2]]
    measured = {str(n): measure(tmp_path, f"{n}.wav", wave) for n, wave in enumerate(waves)}
    assert find(measured) == []


def test_recordings_of_very_different_lengths_are_not_compared(tmp_path, speech):
    measured = {"a": measure(tmp_path, "a.wav", speech[0]), "b": measure(tmp_path, "b.wav", speech[0][: 9 * RATE_HZ])}
    assert find(measured) == []


def test_words_that_a_voice_repeats_are_no_copies(tmp_path, speech):
    """The same sounds, spoken 4% faster: what a speaker does who says a word again."""
    slow = speech[0][: 3 * RATE_HZ]
    versions = [soxr.resample(slow, RATE_HZ, round(RATE_HZ * factor)) for factor in (1, 0.96, 0.92)]
    measured = {str(n): measure(tmp_path, f"{n}.wav", wave) for n, wave in enumerate(versions)}
    assert find(measured) == []
    assert len(list(itertools.combinations(measured, 2))) == 3

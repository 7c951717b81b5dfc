"""Audio quality, streamed, against the same measures taken on the whole array."""

import itertools
import math

import numpy as np
import pytest
import soundfile

from abxfast.audio import measure_quality

RATE_HZ = 16_000


def test_level_and_noise_floor_are_those_of_the_whole_file(tmp_path):
    rng = np.random.default_rng(1)
    wave = 0.1 * rng.standard_normal(RATE_HZ * 7 + 123)
    wave[: RATE_HZ * 2] *= 0.01
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, RATE_HZ, subtype="FLOAT")
    quality = measure_quality(path)
    wave = soundfile.read(path)[0]
    assert quality.seconds == pytest.approx(len(wave) / RATE_HZ)
    assert quality.level_db == pytest.approx(10 * math.log10(np.mean(wave**2)))
    stretches = wave[: len(wave) // 800 * 800].reshape(-1, 800)
    assert quality.noise_db == pytest.approx(10 * math.log10(np.quantile((stretches**2).mean(axis=1), 0.1)), abs=1e-6)
    assert quality.clipping == 0
    assert (quality.rate_hz, quality.channels) == (RATE_HZ, 1)
    assert quality.bandwidth_hz == RATE_HZ / 2


@pytest.mark.parametrize("cut_hz", [1000, 3000, 5000])
def test_bandwidth_ends_where_a_filter_cuts(tmp_path, cut_hz):
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal(RATE_HZ * 5))
    spectrum[cut_hz * 5 :] = 0
    wave = np.fft.irfft(spectrum)
    soundfile.write(tmp_path / "a.wav", 0.3 * wave / np.abs(wave).max(), RATE_HZ, subtype="FLOAT")
    assert measure_quality(tmp_path / "a.wav").bandwidth_hz == pytest.approx(cut_hz, abs=120)


def test_clipping_counts_flat_tops(tmp_path):
    wave = 0.4 * np.sin(2 * np.pi * 200 * np.arange(RATE_HZ * 5) / RATE_HZ)
    soundfile.write(tmp_path / "round.wav", wave, RATE_HZ)
    assert measure_quality(tmp_path / "round.wav").clipping == 0
    flat = np.clip(wave, -0.3, 0.3)
    soundfile.write(tmp_path / "flat.wav", flat, RATE_HZ)
    runs = [len(list(group)) for top, group in itertools.groupby(np.sign(flat) * (np.abs(flat) == 0.3)) if top]
    expected = sum(max(0, length - 2) for length in runs) / len(flat)
    assert expected > 0.3
    assert measure_quality(tmp_path / "flat.wav").clipping == pytest.approx(expected)


def test_a_recording_that_cannot_be_decoded_has_a_note(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    quality = measure_quality(tmp_path / "a.wav")
    assert "a.wav" in quality.note
    assert math.isnan(quality.level_db)


def test_a_recording_shorter_than_a_frame_has_no_bandwidth_and_no_noise_floor(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(700, 0.5), RATE_HZ)
    quality = measure_quality(tmp_path / "a.wav")
    assert quality.level_db == pytest.approx(20 * math.log10(0.5))
    assert math.isnan(quality.bandwidth_hz)
    assert math.isnan(quality.noise_db)
    assert quality.clipping == pytest.approx(698 / 700)

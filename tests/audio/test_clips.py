import io

import numpy as np
import pytest
import soundfile

from abxfast.audio import encode_clip
from abxfast.errors import AudioError


def write_tone(path, hz, rate_hz=16_000, seconds=4.0, channels=1):
    """Write a tone whose pitch doubles halfway."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * hz * np.where(t < seconds / 2, t, 2 * t))
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate_hz)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_clip_is_the_stretch_that_was_asked_for(tmp_path, suffix):
    path = write_tone(tmp_path / f"tone.{suffix}", 440, rate_hz=44_100, channels=2)
    for start_s, hz in ((0.5, 440), (2.5, 880)):
        samples, rate_hz = soundfile.read(io.BytesIO(encode_clip(path, start_s, 1.0)))
        assert len(samples) / rate_hz == pytest.approx(1.0, abs=0.05)
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.argmax() * rate_hz / len(samples) == pytest.approx(hz, abs=5)


def test_a_clip_ends_with_its_recording_and_one_beyond_is_refused(tmp_path):
    path = write_tone(tmp_path / "tone.wav", 440)
    samples, rate_hz = soundfile.read(io.BytesIO(encode_clip(path, 3.5, 5.0)))
    assert len(samples) / rate_hz == pytest.approx(0.5, abs=0.05)
    with pytest.raises(AudioError, match=r"cannot be decoded at 9 s|has no audio at 9 s"):
        encode_clip(path, 9.0, 1.0)
    with pytest.raises(AudioError):
        encode_clip(tmp_path / "missing.wav", 0.0, 1.0)

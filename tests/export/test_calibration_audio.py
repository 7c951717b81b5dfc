"""Recordings for calibration and parity check: read, divided, and described if they cannot be used."""

import shutil

import numpy as np
import pytest
import soundfile
from tiny import RATE_HZ, voice

from abxfast.errors import ExportError
from abxfast.export.calibration_audio import read_calibration_audio
from abxfast.export.parity import LENGTHS_S, cut_snippets


def test_calibration_and_check_use_different_audio(recordings):
    audio = read_calibration_audio(recordings)
    files = [soundfile.read(path, dtype="float32")[0] for path in sorted(recordings.iterdir())]
    np.testing.assert_array_equal(np.concatenate([*audio.segments, *audio.parity_halves]), np.concatenate(files))
    assert [len(half) for half in audio.parity_halves] == [round(12 * RATE_HZ * 7 / 16)] * 2


def test_unreadable_recordings_are_skipped_with_a_warning(recordings, tmp_path, caplog):
    folder = shutil.copytree(recordings, tmp_path / "mixed")
    for name in ("bad.wav", "worse.flac"):
        (folder / name).write_bytes(b"RIFFxxxx")
    assert len(read_calibration_audio(folder).segments) == len(read_calibration_audio(recordings).segments)
    assert len(caplog.messages) == 2
    for name, line in zip(("bad.wav", "worse.flac"), caplog.messages, strict=True):
        assert line.startswith(f"`check='{folder}'`: skipped: ")
        assert name in line


def test_the_demo_stimuli_are_long_enough():
    audio = read_calibration_audio(None)
    assert "demo" in audio.name
    assert all(cut_snippets(audio, length_s) is not None for length_s in LENGTHS_S)


def test_too_little_audio(tmp_path):
    soundfile.write(tmp_path / "a.wav", voice(2), RATE_HZ)
    with pytest.raises(ExportError) as caught:
        read_calibration_audio(tmp_path)
    assert str(caught.value) == f"`check='{tmp_path}'`: 2.0 s of audio, expected at least 10 s"


def test_a_folder_without_readable_audio(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFFxxxx")
    with pytest.raises(ExportError) as caught:
        read_calibration_audio(tmp_path)
    assert str(caught.value).startswith(f"`check='{tmp_path}'`: no readable recording (")
    assert "bad.wav" in str(caught.value)


def test_no_space_for_the_demo_stimuli(monkeypatch):
    def full(*_, **__):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(ExportError, match=r"cannot be written to the temporary folder .* recordings as `check`"):
        read_calibration_audio(None)

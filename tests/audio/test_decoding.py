"""Decoding: streams equal the recording read at once, and unusable samples are named."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr
from audio_files import SUFFIX_OF, pcm, refusal, speech, streamed, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import stream
from abxfast.audio.channels import MAX_CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

RATES_HZ = (4_000, 7_350, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_blocks_concatenate_to_the_recording_read_at_once_bit_for_bit(folder: Path, data: st.DataObject) -> None:
    rate_hz = data.draw(st.sampled_from(RATES_HZ))
    channels = data.draw(st.one_of(st.integers(1, 3), st.integers(1, MAX_CHANNELS)))
    channel = data.draw(st.one_of(st.none(), st.integers(0, channels - 1)))
    n = data.draw(st.integers(1, 2_500))
    block_s = data.draw(st.floats(1, n * 1.5)) / rate_hz
    to_hz = data.draw(st.sampled_from((16_000, 8_000, 44_100)))
    samples = speech(n, channels, seed=data.draw(st.integers(0, 9))) + np.float32(1e-3)
    path = folder / "stream.wav"
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")

    native = streamed(path, rate_hz, channel=channel, block_s=block_s)
    if channel is None:
        np.testing.assert_allclose(native, samples.mean(axis=1, dtype=np.float64), rtol=0, atol=1e-6)
        np.testing.assert_array_equal(native, streamed(path, rate_hz))
    else:
        np.testing.assert_array_equal(native, samples[:, channel])

    resampled = streamed(path, to_hz, channel=channel, block_s=block_s)
    np.testing.assert_array_equal(resampled, soxr.resample(native, rate_hz, to_hz, quality="HQ"))


CODECS = [
    *[("OGG", "VORBIS", {}), ("OGG", "OPUS", {}), ("FLAC", "PCM_24", {}), ("AIFF", "DWVW_16", {})],
    *[("MP3", "MPEG_LAYER_III", {"bitrate_mode": mode}) for mode in ("CONSTANT", "AVERAGE", "VARIABLE")],
    *[("WAV", "IMA_ADPCM", {}), ("WAV", "MS_ADPCM", {}), ("WAV", "GSM610", {}), ("CAF", "ALAC_16", {})],
    *[("AU", "G721_32", {}), ("WAV", "NMS_ADPCM_32", {})],
]


@pytest.mark.parametrize(("container", "codec", "options"), CODECS)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_blocks_do_not_disturb_a_decoder_with_state(
    tmp_path: Path, container: str, codec: str, options: dict[str, str], rate_hz: int
) -> None:
    path = tmp_path / f"codec{SUFFIX_OF[container]}"
    samples = speech(int(2.3 * rate_hz), rate_hz=rate_hz)
    soundfile.write(path, samples, rate_hz, format=container, subtype=codec, **options)
    at_once = streamed(path, rate_hz)  # one block
    assert abs(len(at_once) - len(samples)) <= 4_096
    for block_s in (0.0137, 0.1, 1.0):
        np.testing.assert_array_equal(streamed(path, rate_hz, block_s=block_s), at_once)


def test_a_block_of_many_channels_needs_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    soundfile.write(path, np.tile(speech(200_000), 64), 48_000, subtype="PCM_16")
    blocks = list(stream(path, 48_000))
    assert sum(map(len, blocks)) == 200_000
    assert max(map(len, blocks)) * 64 <= 1 << 22


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 3_000),
    where=st.floats(0, 1, exclude_max=True),
    value=st.sampled_from((np.nan, np.inf, -np.inf, 1e300, -1e39)),
    channels=st.integers(1, 3),
    codec=st.sampled_from(("FLOAT", "DOUBLE")),
    data=st.data(),
)
def test_the_first_sample_that_is_not_finite_is_named(
    folder: Path, n: int, where: float, value: float, channels: int, codec: str, data: st.DataObject
) -> None:
    bad, column = int(where * n), data.draw(st.integers(0, channels - 1))
    samples = speech(n, channels).astype(np.float64) + 0.05
    samples[bad, column] = value
    if channels > 1 and not np.isnan(value):
        samples[bad, (column + 1) % channels] = -value  # the mean is NaN
    path = folder / "nan.wav"
    with np.errstate(over="ignore"):
        soundfile.write(path, samples.astype(np.float32) if codec == "FLOAT" else samples, 16_000, subtype=codec)
    block_s = data.draw(st.floats(1, n + 1)) / 16_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for channel in (None, column):
            assert f"sample {bad} ({bad / 16_000:.3f} s) is" in refusal(path, channel=channel, block_s=block_s)
        if channels == 3 and np.isnan(value):
            assert len(streamed(path, channel=(column + 1) % 3)) == n


def test_a_silent_channel_is_refused_but_not_the_others(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.hstack([np.zeros((9_000, 1), np.float32), speech(9_000)]), 16_000)
    assert "of channel 0 is zero" in refusal(path, channel=0, block_s=0.1)
    assert len(streamed(path, channel=1, block_s=0.1)) == 9_000
    assert len(streamed(path)) == 9_000
    message = refusal(path, channel=2)
    assert "no channel 2 (it has 2, counted from 0)" in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere.wav")
    (tmp_path / "folder.wav").mkdir()
    assert "is not a regular file" in refusal(tmp_path / "folder.wav")


@pytest.mark.skipif(
    os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="whoever runs this may read all files"
)
def test_a_locked_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.wav"
    path.write_bytes(wav(pcm(speech(100))))
    path.chmod(0)
    assert "cannot be read" in refusal(path)

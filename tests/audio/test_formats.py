"""Formats: everything that libsndfile writes is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import SUFFIX_OF, speech, streamed

from abxfast.audio import FFMPEG_SUFFIXES, SUFFIXES, probe

if TYPE_CHECKING:
    from pathlib import Path

PADDED = ("ADPCM", "GSM610", "ULAW", "ALAW", "G721", "G723")
"""Codecs whose files hold whole packets, so that a few samples of silence may follow (VOC adds one to any)."""


def writable() -> list[tuple[str, str]]:
    return [(name, codec) for name in SUFFIX_OF if name != "RAW" for codec in soundfile.available_subtypes(name)] + [
        ("RAW", "GSM610")
    ]


@pytest.mark.parametrize(("container", "codec"), writable())
def test_every_format_is_read(tmp_path: Path, container: str, codec: str) -> None:
    rate_hz = 8_000
    path = tmp_path / f"recording{SUFFIX_OF[container]}"
    samples = speech(3 * rate_hz, rate_hz=rate_hz)
    try:
        soundfile.write(path, samples, rate_hz, format=container, subtype=codec)
    except (soundfile.SoundFileError, ValueError):
        pytest.skip("libsndfile reads this, but does not write it")
    assert path.suffix.lower() in SUFFIXES
    info = probe(path)
    assert (info.rate_hz, info.channels) == (rate_hz, 1)
    assert info.format == f"{container} {codec}"
    assert info.duration_s == info.frames / rate_hz
    decoded = streamed(path, rate_hz)
    assert len(decoded) == info.frames
    extra = 1_000 if any(name in codec for name in PADDED) else 0
    assert len(samples) <= len(decoded) <= len(samples) + extra
    assert np.corrcoef(decoded[: len(samples)], samples[:, 0])[0, 1] > 0.6  # whatever the codec loses


def test_mpeg_layer_two_is_read(tmp_path: Path) -> None:
    # By hand, as nothing here writes it: 48 kHz mono at 192 kbit/s, in each frame the same random bits.
    frame = bytes((0xFF, 0xFD, 0xA4, 0xC0)) + np.random.default_rng(3).integers(0, 255, 572, np.uint8).tobytes()
    path = tmp_path / "a.mp2"
    path.write_bytes(frame * 20)
    assert path.suffix in SUFFIXES
    assert probe(path).format == "MP3 MPEG_LAYER_II"
    assert len(streamed(path, 48_000)) == 20 * 1_152


def test_a_suffix_is_decoded_by_one_library() -> None:
    assert not SUFFIXES & FFMPEG_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES | FFMPEG_SUFFIXES)


def test_a_file_name_in_any_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ŋa˥˩ 錄音 ɲé.flac"
    soundfile.write(path, speech(4_000), 16_000)
    assert len(streamed(path)) == 4_000

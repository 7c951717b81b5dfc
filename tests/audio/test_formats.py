"""Formats: everything that libsndfile writes is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import SUFFIX_OF, refusal, speech, streamed

from abxfast.audio import FFMPEG_SUFFIXES, SUFFIXES, UNVERIFIABLE_SUFFIXES, probe

if TYPE_CHECKING:
    from pathlib import Path

PADDED = ("ADPCM", "GSM610", "ULAW", "ALAW", "G721", "G723")
"""Codecs whose files hold whole packets, so that a few samples of silence may follow (VOC adds one to any)."""


UNVERIFIABLE = ("IRCAM", "PAF", "SDS", "AVR", "PVF", "MPC2K", "MAT4", "MAT5")
"""Containers that libsndfile writes, and whose completeness cannot be checked."""


def writable() -> list[tuple[str, str]]:
    names = [name for name in SUFFIX_OF if name != "RAW" and name not in UNVERIFIABLE]
    return [(name, codec) for name in names for codec in soundfile.available_subtypes(name)] + [("RAW", "GSM610")]


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


@pytest.mark.parametrize("container", UNVERIFIABLE)
@pytest.mark.parametrize("suffix", [None, ".wav", ".mp3", ".ogg"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_does_not_tell_whether_it_is_complete_is_refused(
    tmp_path: Path, container: str, suffix: str | None, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"recording{suffix or SUFFIX_OF.get(container, '.mat')}"
    soundfile.write(path, speech(8_000), 8_000, format=container, subtype="PCM_16")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    assert "does not tell whether it is complete; convert it first" in refusal(path)
    assert not capfd.readouterr().out


def test_a_suffix_is_decoded_by_one_library() -> None:
    kinds = (SUFFIXES, FFMPEG_SUFFIXES, UNVERIFIABLE_SUFFIXES)
    assert len(frozenset().union(*kinds)) == sum(map(len, kinds))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for kind in kinds for suffix in kind)


def test_a_file_name_in_any_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ŋa˥˩ 錄音 ɲé.flac"
    soundfile.write(path, speech(4_000), 16_000)
    assert len(streamed(path)) == 4_000

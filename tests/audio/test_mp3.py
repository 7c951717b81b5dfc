"""MP3 files with and without a header that declares their length, and with tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import speech, streamed

from abxfast.audio import probe

if TYPE_CHECKING:
    from pathlib import Path


ID3V2 = b"ID3\x03\x00\x00" + bytes((0, 0, 15, 80)) + b"TIT2\x00\x00\x00\x05\x00\x00\x00name" + bytes(2_000 - 15)
ID3V1 = b"TAG" + b"y" * 125


def mp3_frames(raw: bytes) -> list[int]:
    """Return where each frame starts: an independent parser of layer III."""
    kbits = {
        3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    }
    rates = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
    starts, offset = [], 0
    while offset + 4 <= len(raw):
        version, bits = raw[offset + 1] >> 3 & 3, raw[offset + 2]
        per_frame, kbit = (144, kbits[3]) if version == 3 else (72, kbits[2])
        starts.append(offset)
        offset += per_frame * kbit[bits >> 4] * 1_000 // rates[version][bits >> 2 & 3] + (bits >> 1 & 1)
    return starts


@pytest.fixture(params=[(8_000, "CONSTANT"), (16_000, "VARIABLE"), (44_100, "CONSTANT"), (44_100, "VARIABLE")])
def mp3(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int, int]:
    rate_hz, mode = request.param
    path, n = tmp_path / "a.mp3", 5 * rate_hz
    soundfile.write(path, speech(n, rate_hz=rate_hz), rate_hz, bitrate_mode=mode)
    return path, rate_hz, n


def test_an_mp3_without_a_declared_length_is_read_to_its_end(mp3: tuple[Path, int, int]) -> None:
    path, rate_hz, n = mp3
    raw = path.read_bytes()
    starts = mp3_frames(raw)
    bare = raw[starts[1] :]  # the first frame is the header, Xing or Info
    per_frame = 1_152 if rate_hz > 24_000 else 576
    for content in (bare, ID3V2 + bare, ID3V2 + bare + ID3V1):
        path.write_bytes(content)
        assert probe(path).frames == 0
        decoded = streamed(path, rate_hz, block_s=0.3)
        assert abs(len(decoded) - (len(starts) - 1) * per_frame) <= per_frame
        assert len(decoded) >= n
        np.testing.assert_array_equal(decoded, streamed(path, rate_hz))


def test_an_mp3_with_tags_is_complete(mp3: tuple[Path, int, int], capfd: pytest.CaptureFixture[str]) -> None:
    path, rate_hz, n = mp3
    raw = path.read_bytes()
    plain = streamed(path, rate_hz)
    assert len(plain) == n
    for content in (ID3V2 + raw, raw + ID3V1, ID3V2 + raw + ID3V1):
        path.write_bytes(content)
        assert probe(path).frames == n
        np.testing.assert_array_equal(streamed(path, rate_hz), plain)
    assert not capfd.readouterr().err, "libmpg123 warns if the size of a file with a header is hidden from it"


def test_an_mp3_whose_header_counts_itself_is_complete(mp3: tuple[Path, int, int]) -> None:
    path, rate_hz, n = mp3
    raw = bytearray(path.read_bytes())
    offset = max(raw.find(b"Xing", 0, 200), raw.find(b"Info", 0, 200))
    count = int.from_bytes(raw[offset + 8 : offset + 12], "big")
    raw[offset + 8 : offset + 12] = (count + 1).to_bytes(4, "big")
    path.write_bytes(raw)
    assert len(streamed(path, rate_hz)) >= n

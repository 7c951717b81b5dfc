"""Integrity: a recording that is cut short or damaged is refused, and a header that declares no length is not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import SUFFIX_OF, pcm, refusal, speech, streamed, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import probe
from abxfast.audio.integrity import MAX_RATE_HZ, MIN_RATE_HZ
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0x7FFFFFFF - 36, 0xFFFFFFFF - 44])
def test_a_wav_from_a_pipe_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "pipe.wav"
    samples = speech(5_000)
    path.write_bytes(wav(pcm(samples), size=size))
    assert probe(path).frames == 5_000
    np.testing.assert_array_equal(streamed(path), np.frombuffer(pcm(samples), "<i2") / np.float32(32_768))


def test_a_long_wav_that_is_cut_short_is_not_mistaken_for_one_from_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(pcm(speech(5_000)), size=3_000_000_000))
    assert "cut short" in refusal(path)


def test_a_flac_from_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe.flac"
    samples = speech(20_000)
    soundfile.write(path, samples, 16_000)
    raw = bytearray(path.read_bytes())
    raw[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    raw[22:26] = bytes(4)
    path.write_bytes(raw)
    assert probe(path).frames == 0
    assert probe(path).duration_s == 0
    np.testing.assert_allclose(streamed(path, block_s=0.1), samples[:, 0], atol=1e-4)


def test_chunks_after_the_samples_are_not_decoded(tmp_path: Path) -> None:
    note = b"INFOISFT" + struct.pack("<I", 14) + b"Lavf60.3.100\0\0"
    chunk = b"LIST" + struct.pack("<I", len(note)) + note
    data = pcm(speech(4_000))
    path = tmp_path / "tail.wav"
    for raw in (wav(data, tail=chunk), wav(data, tail=b"TAG" + bytes(125)), wav(data + b"\0"), wav(data, tail=b"\0")):
        path.write_bytes(raw)
        assert len(streamed(path)) == 4_000


@settings(max_examples=50, deadline=None)
@given(
    codec=st.sampled_from(("VORBIS", "OPUS")),
    rate_hz=st.sampled_from((8_000, 16_000, 48_000)),
    seconds=st.floats(0.01, 2),
    share=st.floats(0.2, 0.999),
)
def test_an_ogg_is_cut_short_exactly_if_its_end_is_missing(
    folder: Path, codec: str, rate_hz: int, seconds: float, share: float
) -> None:
    path = folder / "cut.ogg"
    n = max(1, int(seconds * rate_hz))
    soundfile.write(path, speech(n, rate_hz=rate_hz), rate_hz, format="OGG", subtype=codec)
    assert len(streamed(path, rate_hz)) == n
    raw = path.read_bytes()
    if codec == "VORBIS":  # after Opus, libsndfile does not accept junk
        path.write_bytes(raw + bytes(300))
        assert len(streamed(path, rate_hz)) == n
    for length in (int(share * len(raw)), raw.rfind(b"OggS") + 20):
        path.write_bytes(raw[:length])
        refusal(path)


CUT = [
    *[("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("WAVEX", "PCM_32"), ("WAV", "ULAW")],
    *[
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_24"),
        ("CAF", "PCM_16"),
        ("SVX", "PCM_16"),
    ],
    *[("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("CAF", "ALAC_16")],
    *[("NIST", "PCM_16"), ("VOC", "PCM_16"), ("WAV", "IMA_ADPCM"), ("WAV", "GSM610")],
]


@pytest.mark.parametrize(("container", "codec"), CUT)
@pytest.mark.parametrize("seconds", [1.5, 12])
def test_a_recording_that_is_cut_short_is_refused(
    tmp_path: Path, container: str, codec: str, seconds: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"cut{SUFFIX_OF[container]}"
    soundfile.write(path, speech(int(seconds * 16_000)), 16_000, format=container, subtype=codec)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    message = refusal(path)
    assert "copy it again" in message
    assert "cut short" in message
    capfd.readouterr()  # libmpg123 writes to stderr


def test_the_message_says_how_much_can_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a b.wav"
    path.write_bytes(wav(pcm(speech(32_000)), size=4 * 32_000))
    message = refusal(path)
    assert "its header declares 4.0 s, only 2.0 s can be decoded;" in message
    assert 'ffmpeg -i "a b.wav" "a b-whole.wav"' in message
    with pytest.raises(AudioError, match="cut short"):
        probe(path)


def test_an_ogg_of_two_recordings_is_refused(tmp_path: Path) -> None:
    parts = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.ogg"
        soundfile.write(path, speech(8_000, seed=seed), 16_000)
        parts.append(path.read_bytes())
    if parts[0][14:18] == parts[1][14:18]:
        pytest.skip("libsndfile gave both streams one serial number")
    path.write_bytes(parts[0] + parts[1])
    assert "several recordings" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.wav", b"hello there\n" * 50, "not audio"),
        ("page.mp3", b"<html></html>" * 9, "a web page, not audio"),
        ("short.wav", b"R", "not audio"),
        ("zero.wav", b"", "0 bytes"),
        ("zero.gsm", b"", "0 bytes"),
        ("header.wav", wav(b""), "no samples"),
        ("header.ogg", b"OggS", "cut short"),
        ("cut-at-its-header.wav", wav(b"", size=1_000), "cut short"),
        ("no-data.wav", wav(b"")[:30], "not audio"),
        ("slow.wav", wav(b"\1\1" * 99, rate_hz=3_999), "3999 Hz, expected 4000 to 384000"),
        ("fast.wav", wav(b"\1\1" * 99, rate_hz=384_001), "384001 Hz"),
        ("none.wav", wav(b"\1\1" * 99, rate_hz=0), "not audio"),
        ("channels.wav", wav(b"\1\1" * 65 * 9, channels=65), "65 channels, expected 64"),
        ("more.wav", wav(b"\1\1" * 2_000 * 9, channels=2_000), "not audio"),
        ("silence.wav", wav(bytes(4_000)), "every sample is zero"),
        ("headerless.raw", b"\1\1" * 99, "samplerate"),
    ],
)
def test_a_file_that_is_not_a_usable_recording_is_refused(
    tmp_path: Path, name: str, content: bytes, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert words in refusal(path)
    capfd.readouterr()


@pytest.mark.parametrize("rate_hz", [MIN_RATE_HZ, MAX_RATE_HZ])
def test_the_lowest_and_highest_rates_are_read(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "rate.wav"
    path.write_bytes(wav(pcm(speech(4_000)), rate_hz=rate_hz))
    assert len(streamed(path)) == round(4_000 * 16_000 / rate_hz)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_damaged_header_is_decoded_or_refused_in_one_line(folder: Path, data: st.DataObject) -> None:
    raw = bytearray(wav(pcm(speech(200, 2)), channels=2))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 47))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.wav"
    path.write_bytes(raw)
    try:
        samples = streamed(path)
    except AudioError:
        refusal(path)
    else:
        assert np.isfinite(samples).all()

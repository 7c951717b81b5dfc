"""Recordings as streams: every format, every way to cut them into blocks, and what is wrong with them in one line."""

from __future__ import annotations

import os
import struct
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import decoding as audio
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

RATES_HZ = (4_000, 7_350, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000)
SUFFIX = dict(
    [
        *[("WAV", ".wav"), ("WAVEX", ".WAV"), ("RF64", ".rf64"), ("W64", ".w64"), ("AIFF", ".aiff"), ("AU", ".au")],
        *[("CAF", ".caf"), ("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".mp3"), ("RAW", ".gsm"), ("NIST", ".sph")],
        *[("VOC", ".voc"), ("IRCAM", ".sf"), ("PAF", ".paf"), ("SVX", ".svx"), ("SDS", ".sds"), ("AVR", ".avr")],
        *[("PVF", ".pvf"), ("MPC2K", ".snd")],
    ]
)
PADDED = ("ADPCM", "GSM610", "ULAW", "ALAW", "G721", "G723")
"""Codecs whose files hold whole packets, so that a few samples of silence may follow (VOC adds one to any)."""


def speech(n: int, channels: int = 1, seed: int = 0, rate_hz: int = 16_000) -> np.ndarray:
    """Make noise with gaps and tones: it makes a variable bit rate vary."""
    rng = np.random.default_rng(seed)
    time = np.arange(n)[:, None] / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 220 * (1 + np.arange(channels)) ** 0.5 * time)
    noise = 0.2 * rng.standard_normal((n, channels)) * (np.sin(5 * time) > 0)
    return np.clip(tone + noise, -0.9, 0.9).astype(np.float32)


def streamed(path: Path, rate_hz: int = 16_000, **options: object) -> np.ndarray:
    blocks = list(audio.stream(path, rate_hz, **options))
    assert all(len(block) and block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(AudioError) as caught:
        streamed(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert ";" in message, f"says nothing of what to do: {message}"
    return message


def wav(data: bytes, *, size: int | None = None, rate_hz: int = 16_000, channels: int = 1, tail: bytes = b"") -> bytes:
    """Make a 16-bit wav file by hand."""
    layout = struct.pack("<HHIIHH", 1, channels, rate_hz, 2 * channels * rate_hz % (1 << 32), 2 * channels, 16)
    size = len(data) if size is None else size
    body = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", size) + data + tail
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def pcm(samples: np.ndarray) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


# Streams


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_stream_is_the_recording_read_at_once_bit_for_bit(folder: Path, data: st.DataObject) -> None:
    rate_hz = data.draw(st.sampled_from(RATES_HZ))
    channels = data.draw(st.one_of(st.integers(1, 3), st.integers(1, audio.MAX_CHANNELS)))
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
def test_a_decoder_with_a_memory_does_not_hear_the_blocks(
    tmp_path: Path, container: str, codec: str, options: dict[str, str], rate_hz: int
) -> None:
    path = tmp_path / f"codec{SUFFIX[container]}"
    samples = speech(int(2.3 * rate_hz), rate_hz=rate_hz)
    soundfile.write(path, samples, rate_hz, format=container, subtype=codec, **options)
    once = streamed(path, rate_hz)  # one block
    assert abs(len(once) - len(samples)) <= 4_096
    for block_s in (0.0137, 0.1, 1.0):
        np.testing.assert_array_equal(streamed(path, rate_hz, block_s=block_s), once)


def test_a_block_of_many_channels_takes_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    soundfile.write(path, np.tile(speech(200_000), 64), 48_000, subtype="PCM_16")
    blocks = list(audio.stream(path, 48_000))
    assert sum(map(len, blocks)) == 200_000
    assert max(map(len, blocks)) * 64 <= 1 << 22


# Formats


def writable() -> list[tuple[str, str]]:
    return [(name, codec) for name in SUFFIX if name != "RAW" for codec in soundfile.available_subtypes(name)] + [
        ("RAW", "GSM610")
    ]


@pytest.mark.parametrize(("container", "codec"), writable())
def test_every_format_is_read(tmp_path: Path, container: str, codec: str) -> None:
    rate_hz = 8_000
    path = tmp_path / f"recording{SUFFIX[container]}"
    samples = speech(3 * rate_hz, rate_hz=rate_hz)
    try:
        soundfile.write(path, samples, rate_hz, format=container, subtype=codec)
    except (soundfile.SoundFileError, ValueError):
        pytest.skip("libsndfile reads this, but does not write it")
    assert path.suffix.lower() in audio.SUFFIXES
    info = audio.probe(path)
    assert (info.rate_hz, info.channels) == (rate_hz, 1)
    assert info.format == f"{container} {codec}"
    assert info.duration_s == info.frames / rate_hz
    decoded = streamed(path, rate_hz)
    assert len(decoded) == info.frames
    extra = 1_000 if any(name in codec for name in PADDED) else 0
    assert len(samples) <= len(decoded) <= len(samples) + extra
    assert np.corrcoef(decoded[: len(samples)], samples[:, 0])[0, 1] > 0.6  # whatever the codec loses


def test_layer_two_is_read(tmp_path: Path) -> None:
    # By hand, as nothing here writes it: 48 kHz mono at 192 kbit/s, in each frame the same random bits.
    frame = bytes((0xFF, 0xFD, 0xA4, 0xC0)) + np.random.default_rng(3).integers(0, 255, 572, np.uint8).tobytes()
    path = tmp_path / "a.mp2"
    path.write_bytes(frame * 20)
    assert path.suffix in audio.SUFFIXES
    assert audio.probe(path).format == "MP3 MPEG_LAYER_II"
    assert len(streamed(path, 48_000)) == 20 * 1_152


# Recordings whose header is silent about their length, or wrong about it


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0x7FFFFFFF - 36, 0xFFFFFFFF - 44])
def test_a_wav_from_a_pipe_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "pipe.wav"
    samples = speech(5_000)
    path.write_bytes(wav(pcm(samples), size=size))
    assert audio.probe(path).frames == 5_000
    np.testing.assert_array_equal(streamed(path), np.frombuffer(pcm(samples), "<i2") / np.float32(32_768))


def test_a_long_wav_that_is_cut_is_not_taken_for_one_from_a_pipe(tmp_path: Path) -> None:
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
    assert audio.probe(path).frames == 0
    assert audio.probe(path).duration_s == 0
    np.testing.assert_allclose(streamed(path, block_s=0.1), samples[:, 0], atol=1e-4)


def test_what_follows_the_samples_is_not_audio(tmp_path: Path) -> None:
    note = b"INFOISFT" + struct.pack("<I", 14) + b"Lavf60.3.100\0\0"
    chunk = b"LIST" + struct.pack("<I", len(note)) + note
    data = pcm(speech(4_000))
    path = tmp_path / "tail.wav"
    for raw in (wav(data, tail=chunk), wav(data, tail=b"TAG" + bytes(125)), wav(data + b"\0"), wav(data, tail=b"\0")):
        path.write_bytes(raw)
        assert len(streamed(path)) == 4_000


ID3V2 = b"ID3\x03\x00\x00" + bytes((0, 0, 15, 80)) + b"TIT2\x00\x00\x00\x05\x00\x00\x00name" + bytes(2_000 - 15)
ID3V1 = b"TAG" + b"y" * 125


def mp3_frames(raw: bytes) -> list[int]:
    """Give where each frame starts; a reader of its own, for layer III."""
    kbits = {
        3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
        2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    }
    rates = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
    starts, at = [], 0
    while at + 4 <= len(raw):
        version, bits = raw[at + 1] >> 3 & 3, raw[at + 2]
        per_frame, kbit = (144, kbits[3]) if version == 3 else (72, kbits[2])
        starts.append(at)
        at += per_frame * kbit[bits >> 4] * 1_000 // rates[version][bits >> 2 & 3] + (bits >> 1 & 1)
    return starts


@pytest.fixture(params=[(8_000, "CONSTANT"), (16_000, "VARIABLE"), (44_100, "CONSTANT"), (44_100, "VARIABLE")])
def mp3(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int, int]:
    rate_hz, mode = request.param
    path, n = tmp_path / "a.mp3", 5 * rate_hz
    soundfile.write(path, speech(n, rate_hz=rate_hz), rate_hz, bitrate_mode=mode)
    return path, rate_hz, n


def test_an_mp3_without_a_length_is_read_to_its_end(mp3: tuple[Path, int, int]) -> None:
    path, rate_hz, n = mp3
    raw = path.read_bytes()
    starts = mp3_frames(raw)
    bare = raw[starts[1] :]  # the first frame is the header, Xing or Info
    per_frame = 1_152 if rate_hz > 24_000 else 576
    for content in (bare, ID3V2 + bare, ID3V2 + bare + ID3V1):
        path.write_bytes(content)
        assert audio.probe(path).frames == 0
        decoded = streamed(path, rate_hz, block_s=0.3)
        assert abs(len(decoded) - (len(starts) - 1) * per_frame) <= per_frame
        assert len(decoded) >= n
        np.testing.assert_array_equal(decoded, streamed(path, rate_hz))


def test_tags_do_not_make_an_mp3_cut_short(mp3: tuple[Path, int, int], capfd: pytest.CaptureFixture[str]) -> None:
    path, rate_hz, n = mp3
    raw = path.read_bytes()
    plain = streamed(path, rate_hz)
    assert len(plain) == n
    for content in (ID3V2 + raw, raw + ID3V1, ID3V2 + raw + ID3V1):
        path.write_bytes(content)
        assert audio.probe(path).frames == n
        np.testing.assert_array_equal(streamed(path, rate_hz), plain)
    assert not capfd.readouterr().err, "libmpg123 complains where it is not told the size of a file that has a header"


def test_an_mp3_whose_header_counts_itself_is_whole(mp3: tuple[Path, int, int]) -> None:
    path, rate_hz, n = mp3
    raw = bytearray(path.read_bytes())
    at = max(raw.find(b"Xing", 0, 200), raw.find(b"Info", 0, 200))
    count = int.from_bytes(raw[at + 8 : at + 12], "big")
    raw[at + 8 : at + 12] = (count + 1).to_bytes(4, "big")
    path.write_bytes(raw)
    assert len(streamed(path, rate_hz)) >= n


# Cut short


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
    if codec == "VORBIS":  # libsndfile does not bear it after Opus
        path.write_bytes(raw + bytes(300))
        assert len(streamed(path, rate_hz)) == n
    for length in (int(share * len(raw)), raw.rfind(b"OggS"), raw.rfind(b"OggS") + 20):
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
    path = tmp_path / f"cut{SUFFIX[container]}"
    soundfile.write(path, speech(int(seconds * 16_000)), 16_000, format=container, subtype=codec)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    message = refusal(path)
    assert "copy it again" in message
    assert "cut short" in message
    capfd.readouterr()  # libmpg123 talks


def test_how_much_is_left_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a b.wav"
    path.write_bytes(wav(pcm(speech(32_000)), size=4 * 32_000))
    message = refusal(path)
    assert "promises 4.0 s, 2.0 s can be decoded" in message
    assert 'ffmpeg -i "a b.wav" "a b-whole.wav"' in message
    with pytest.raises(AudioError, match="cut short"):
        audio.probe(path)


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


# What is no recording, or one that cannot be used


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.wav", b"hello there\n" * 50, "not audio"),
        ("page.mp3", b"<html></html>" * 9, "no MPEG audio in it"),
        ("short.wav", b"R", "not audio"),
        ("zero.wav", b"", "0 bytes"),
        ("zero.gsm", b"", "0 bytes"),
        ("header.wav", wav(b""), "no samples"),
        ("header.ogg", b"OggS", "not audio"),
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
def test_bad_input_gets_one_line(
    tmp_path: Path, name: str, content: bytes, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert words in refusal(path)
    capfd.readouterr()


@pytest.mark.parametrize("rate_hz", [audio.MIN_RATE_HZ, audio.MAX_RATE_HZ])
def test_the_outermost_rates_are_read(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "rate.wav"
    path.write_bytes(wav(pcm(speech(4_000)), rate_hz=rate_hz))
    assert len(streamed(path)) == round(4_000 * 16_000 / rate_hz)


@pytest.mark.parametrize("name", ["a.m4a", "a.M4A", "a.mp4", "a.Wma", "a.aac", "a.amr", "two words.m4a"])
def test_what_cannot_be_decoded_is_told_how_to_convert(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\0\0\0\x1cftypM4A ")
    assert f'ffmpeg -i "{name}" "{path.stem}.wav"' in refusal(path)


def test_no_file_a_folder_and_a_locked_file_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere.wav")
    (tmp_path / "folder.wav").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder.wav")


@pytest.mark.skipif(
    os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="whoever runs this may read all files"
)
def test_a_locked_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.wav"
    path.write_bytes(wav(pcm(speech(100))))
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 3_000),
    where=st.floats(0, 1, exclude_max=True),
    value=st.sampled_from((np.nan, np.inf, -np.inf, 1e300, -1e39)),
    channels=st.integers(1, 3),
    codec=st.sampled_from(("FLOAT", "DOUBLE")),
    data=st.data(),
)
def test_a_sample_that_is_no_number_is_found_and_named(
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


def test_a_silent_channel_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.hstack([np.zeros((9_000, 1), np.float32), speech(9_000)]), 16_000)
    assert "of channel 0 is zero" in refusal(path, channel=0, block_s=0.1)
    assert len(streamed(path, channel=1, block_s=0.1)) == 9_000
    assert len(streamed(path)) == 9_000
    message = refusal(path, channel=2)
    assert "no channel 2 (it has 2, counted from 0)" in message


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_damaged_header_gives_audio_or_one_line(folder: Path, data: st.DataObject) -> None:
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


@pytest.mark.parametrize(("text", "channel"), [("mix", None), ("0", 0), ("63", 63), ("007", 7)])
def test_channel(text: str, channel: int | None) -> None:
    assert audio.parse_channel(text) == channel


@pytest.mark.parametrize("text", ["", "left", "-1", "64", "1.0", "²", "Mix", "1e1"])
def test_no_channel(text: str) -> None:
    with pytest.raises(AudioError, match="expected mix or a number from 0 to 63"):
        audio.parse_channel(text)


def test_a_name_is_either_read_or_refused() -> None:
    assert not audio.SUFFIXES & audio.UNREADABLE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in audio.SUFFIXES)


def test_a_name_in_any_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ŋa˥˩ 錄音 ɲé.flac"
    soundfile.write(path, speech(4_000), 16_000)
    assert len(streamed(path)) == 4_000

"""Recordings that ffmpeg decodes: whole or refused, with one line where ffmpeg is missing or hangs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import refusal, speech, streamed
from scipy.signal import correlate

from abxfast.audio import FFMPEG_SUFFIXES, child_process, probe, stream
from abxfast.errors import AudioError
from abxfast.manifest import scan_recordings

if TYPE_CHECKING:
    from pathlib import Path

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None,
    reason="needs the ffmpeg program: apt-get install ffmpeg",
)
RATE_HZ = 16_000
SECONDS = 3
CODECS = {
    "m4a": "aac",
    "mp4": "libopus",
    "mov": "pcm_s16le",
    "mka": "flac",
    "mkv": "libvorbis",
    "webm": "libopus",
    "wma": "wmav2",
    "avi": "libmp3lame",
    "aac": "aac",
    "ac3": "ac3",
    "flv": "libmp3lame",
    "wv": "wavpack",
    "tta": "tta",
    "spx": "libspeex",
    "mpg": "mp2",
    "mts": "mp2",
    "3gp": "aac",
}
"""A codec that ffmpeg writes, by suffix."""
RATES_HZ = {"mp4": 48_000, "webm": 48_000, "ac3": 32_000, "flv": 22_050}
"""Rates of codecs that do not have 16 kHz."""
NO_LENGTH = ("aac", "ac3", "mpg", "mts")
"""Formats that declare no length; of the last two, even a cut within a frame shows only sometimes."""
LOSSLESS = ("mov", "mka", "wv", "tta")


def ffmpeg(*words: object) -> None:
    program = shutil.which("ffmpeg") or ""
    subprocess.run([program, "-v", "error", "-nostdin", "-y", *map(str, words)], check=True)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording in every format, whose waveform is that of ``speech``."""
    folder = tmp_path_factory.mktemp("encoded")
    wave = folder / "wave.wav"
    soundfile.write(wave, speech(SECONDS * RATE_HZ), RATE_HZ)
    for suffix, codec in CODECS.items():
        ffmpeg("-i", wave, "-ar", RATES_HZ.get(suffix, RATE_HZ), "-strict", "-2", "-c:a", codec, folder / f"a.{suffix}")
    ffmpeg("-i", wave, "-c:a", "aac", "-movflags", "+faststart", folder / "header-first.m4a")
    return folder


def likeness(decoded: np.ndarray, original: np.ndarray) -> float:
    """Return the highest correlation over all delays, which codecs have."""
    window = original[:RATE_HZ]
    return correlate(decoded, window, "valid").max() / np.square(window).sum()


@needs_ffmpeg
@pytest.mark.parametrize("suffix", CODECS)
def test_every_format_is_decoded(encoded: Path, suffix: str) -> None:
    path = encoded / f"a.{suffix}"
    assert path.suffix in FFMPEG_SUFFIXES
    info = probe(path)
    assert (info.rate_hz, info.channels) == (RATES_HZ.get(suffix, RATE_HZ), 1)
    assert info.format.startswith(suffix.upper())
    assert info.duration_s == pytest.approx(SECONDS, abs=0.15) or (info.duration_s == 0 and suffix in NO_LENGTH)
    decoded, original = streamed(path), speech(SECONDS * RATE_HZ)[:, 0]
    assert len(decoded) / RATE_HZ == pytest.approx(SECONDS, abs=0.2)
    if suffix in LOSSLESS:
        np.testing.assert_allclose(decoded, original, atol=1e-4)
    else:
        assert likeness(decoded, original) > 0.5


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [*(suffix for suffix in CODECS if suffix not in ("mpg", "mts")), "header-first.m4a"])
def test_what_is_cut_short_is_refused(encoded: Path, tmp_path: Path, suffix: str) -> None:
    source = encoded / (suffix if "." in suffix else f"a.{suffix}")
    path = tmp_path / source.name
    content = source.read_bytes()
    for share in (0.4, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        message = refusal(path)
        assert "cut short" in message
        assert f'ffmpeg -i "{path.name}"' in message


@needs_ffmpeg
def test_a_wma_that_is_cut_between_two_packets_is_refused(encoded: Path, tmp_path: Path) -> None:
    content = (encoded / "a.wma").read_bytes()
    properties = content.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    packet = int.from_bytes(content[properties + 92 : properties + 96], "little")
    data = content.index(bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")) + 50
    path = tmp_path / "a.wma"
    path.write_bytes(content[: data + (len(content) - data) // packet // 2 * packet])
    assert "is cut short: its end is missing" in refusal(path)


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["m4a", "mka", "wv"])
def test_what_is_damaged_in_the_middle_is_refused(encoded: Path, tmp_path: Path, suffix: str) -> None:
    content = bytearray((encoded / f"a.{suffix}").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1_000] = np.random.default_rng(1).integers(0, 256, 1_000, np.uint8).tobytes()
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert "damaged" in refusal(path)


@needs_ffmpeg
def test_blocks_and_channels_are_those_of_other_formats(tmp_path: Path) -> None:
    wave, path = tmp_path / "a.wav", tmp_path / "a.mka"
    soundfile.write(wave, speech(44_100 * 3, channels=2, rate_hz=44_100), 44_100)
    ffmpeg("-i", wave, "-c:a", "flac", path)
    for channel in (None, 0, 1):
        expected = streamed(wave, channel=channel)
        np.testing.assert_array_equal(streamed(path, channel=channel), expected)
        np.testing.assert_array_equal(streamed(path, channel=channel, block_s=0.013), expected)
    assert "has no channel 2" in refusal(path, channel=2)


@needs_ffmpeg
def test_the_sound_of_a_video_is_read_and_its_absence_named(tmp_path: Path) -> None:
    wave, video, mute, two = (tmp_path / name for name in ("a.wav", "a.mp4", "mute.mp4", "two.mkv"))
    soundfile.write(wave, speech(3 * RATE_HZ), RATE_HZ)
    picture = ("-f", "lavfi", "-i", "testsrc=duration=2:size=64x48:rate=5")
    ffmpeg(*picture, "-i", wave, "-c:v", "mpeg4", "-c:a", "aac", video)
    assert len(streamed(video)) / RATE_HZ == pytest.approx(3, abs=0.1)
    ffmpeg(*picture, "-c:v", "mpeg4", mute)
    assert "has no audio track; leave it out" in refusal(mute)
    ffmpeg("-i", wave, "-i", wave, "-map", "0", "-map", "1", "-c:a", "flac", two)
    assert refusal(two).endswith('save the one that you want: ffmpeg -i "two.mkv" -map 0:a:0 "two-1.wav"')


@needs_ffmpeg
@pytest.mark.parametrize(
    "content", ["#EXTM3U\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {secret}\n"]
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, content: str) -> None:
    secret, path = tmp_path / "secret.wav", tmp_path / "a.mp4"
    soundfile.write(secret, speech(RATE_HZ), RATE_HZ)
    path.write_text(content.format(secret=secret))
    assert "not audio that ffmpeg can decode" in refusal(path)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["-i.mka", "a %03d.mka", "http:x.mka", "ŋa˥˩ 錄音 'é\".mka"])
def test_any_file_name_is_read(encoded: Path, tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and set(name) & set(':"'):
        pytest.skip("no such names on Windows")
    shutil.copy(encoded / "a.mka", tmp_path / name)
    assert len(streamed(tmp_path / name)) == SECONDS * RATE_HZ
    assert [item.item for item in scan_recordings([tmp_path]).items] == [name]


@needs_ffmpeg
def test_a_reader_that_stops_early_leaves_nothing_behind(encoded: Path) -> None:
    threads = threading.active_count()
    blocks = stream(encoded / "a.mov", RATE_HZ, block_s=0.01)
    next(blocks)
    blocks.close()
    assert threading.active_count() == threads


def test_without_ffmpeg_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("a.m4a", "a.MP4", "two words.Wma", "a.aac", "a.amr"):
        path = tmp_path / name
        path.write_bytes(b"\0\0\0\x1cftypM4A ")
        message = refusal(path)
        assert f"{path.suffix[1:].lower()} is decoded by ffmpeg, but ffprobe is not installed; install it (" in message
        assert message.endswith(f'ffmpeg -i "{name}" "{path.stem}.wav"')


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("hangs", ["ffprobe", "ffmpeg"])
def test_a_program_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: str) -> None:
    answer = '{"streams": [{"codec_name": "aac", "sample_rate": "16000", "channels": 1}], "format": {}}'
    for name in ("ffprobe", "ffmpeg"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{'exec tail -f /dev/null' if name == hangs else f'''echo '{answer}' '''}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = tmp_path / "a.m4a"
    path.write_bytes(b"audio")
    with pytest.raises(AudioError, match=f"is given up: {hangs} gave nothing for 1 s"):
        list(stream(path, 16_000, timeout_s=1.0))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_program_that_says_much_is_not_waited_for_in_vain() -> None:
    script = 'i=0; while [ $i -lt 20000 ]; do echo "message $i" >&2; i=$((i+1)); done; echo done; exit 3'
    program = child_process.PipedProgram(["sh", "-c", script], 600.0)
    assert program.read(100) == b"done\n"
    assert program.finish() == 3
    assert program.messages[:2] == ["message 0\n", "message 1\n"]
    assert len(program.messages) == 20
    program.close()

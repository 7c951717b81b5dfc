"""Recordings that are damaged, endless or no files: complete or named, in time, and nothing is printed by decoders."""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from audio_files import pcm, refusal, speech, streamed, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import probe, stream
from abxfast.audio.timed_file import TimedFile
from abxfast.errors import AudioError
from abxfast.manifest import read_manifest, scan_recordings

if TYPE_CHECKING:
    from pathlib import Path


def ogg(path: Path, seconds: float = 3.0, codec: str = "VORBIS") -> bytes:
    soundfile.write(path, speech(int(seconds * 16_000)), 16_000, format="OGG", subtype=codec)
    return path.read_bytes()


def page_starts(raw: bytes) -> list[int]:
    starts, at = [], 0
    while at < len(raw):
        starts.append(at)
        n = raw[at + 26]
        at += 27 + n + sum(raw[at + 27 : at + 27 + n])
    return starts


def test_a_w64_whose_header_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.w64"
    soundfile.write(path, speech(8_000), 16_000)
    raw = bytearray(path.read_bytes())
    assert len(streamed(path)) == 8_000
    at = raw.index(b"data\xf3\xac")
    for claimed in (1 << 40, 1 << 62, len(raw), 2 * 8_000 + 24 + 2_000):
        raw[at + 16 : at + 24] = struct.pack("<Q", claimed)
        path.write_bytes(raw)
        assert "cut short" in refusal(path)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("lost", [1, 50, 200, 900, 5_000])
@pytest.mark.parametrize("tag", [b"", b"ID3\x03\x00\x00\x00\x00\x02\x00" + bytes(256)])
def test_an_mp3_with_a_header_may_not_lose_a_byte(
    tmp_path: Path, mode: str, lost: int, tag: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech(80_000), 16_000, bitrate_mode=mode)
    raw = tag + path.read_bytes()
    path.write_bytes(raw)
    assert len(streamed(path)) == 80_000
    path.write_bytes(raw[:-lost])
    assert "cut short" in refusal(path)
    capfd.readouterr()


@pytest.mark.parametrize("n", [1, 32, 34, 33 * 5_000 + 1])
def test_a_gsm_of_broken_frames_is_refused(tmp_path: Path, n: int) -> None:
    path = tmp_path / "a.gsm"
    soundfile.write(path, speech(160 * 6_000, rate_hz=8_000), 8_000, format="RAW", subtype="GSM610")
    raw = path.read_bytes()
    assert len(streamed(path, 8_000)) == 160 * 6_000
    path.write_bytes(raw[:n])
    assert "cut short" in refusal(path)
    path.write_bytes(raw[: 33 * n] + b"\0" + raw[33 * n :])
    assert "does not begin as one" in refusal(path) if n < 6_000 else True


def test_an_ogg_without_a_mark_of_its_end_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.ogg"
    raw = bytearray(ogg(path))
    last = page_starts(raw)[-1]
    marked = streamed(path)
    raw[last + 5] &= ~4
    path.write_bytes(raw)
    assert "checksum" in refusal(path)
    raw[last + 22 : last + 26] = bytes(4)
    raw[last + 22 : last + 26] = ogg_checksum(bytes(raw[last:])).to_bytes(4, "little")
    path.write_bytes(raw)
    with caplog.at_level(logging.WARNING, "abxfast"):
        unmarked = streamed(path)
    assert "its end is not marked" in caplog.text
    assert len(unmarked) >= len(marked)
    np.testing.assert_array_equal(unmarked[: len(marked)], marked)


def ogg_checksum(page: bytes) -> int:
    """Return the CRC of Ogg by its definition, bit by bit."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value >> 31 else 0)
            value &= 0xFFFFFFFF
    return value


def test_an_ogg_that_lacks_a_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    raw = ogg(path, 20)
    starts = [*page_starts(raw), len(raw)]
    assert len(starts) > 5
    for i in range(2, len(starts) - 2):
        path.write_bytes(raw[: starts[i]] + raw[starts[i + 1] :])
        assert f"page {i} is missing" in refusal(path)


@pytest.mark.parametrize(
    "junk", [b"OggS" * (5 << 20), b"OggS\0" * 1_000, b"OggS", bytes(1 << 20), b"OggS\0\0" + bytes(99_000)]
)
@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_junk_after_an_ogg_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junk: bytes, codec: str
) -> None:
    path = tmp_path / "a.ogg"
    raw = ogg(path, codec=codec)
    path.write_bytes(raw + junk)
    monkeypatch.setattr(soundfile.SoundFile, "__init__", lambda *_, **__: pytest.fail("was decoded"))
    refusal(path)


@pytest.mark.parametrize("name", ["pipe.wav", "pipe.ogg", "pipe.mp3"])
def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path, run, name: str) -> None:
    from noise_recordings import write_noise

    os.mkfifo(tmp_path / name)
    assert "not a regular file" in refusal(tmp_path / name)
    write_noise(tmp_path / "sound.wav", 2)
    status, _, err = run("embed", tmp_path, "-o", tmp_path / "s.store", "--snippet", "1")
    assert status == 1
    assert "2 snippets of 1 recording" in err
    assert f"{name}: is not a regular file" in err


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/random", "/dev/full", "/dev/stdin"])
def test_a_device_is_refused(path: str) -> None:
    from pathlib import Path

    with pytest.raises(AudioError, match="not a regular file"):
        probe(Path(path))


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_manifest_that_is_a_pipe_is_refused(tmp_path: Path, run, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for words in (("embed", tmp_path / name, "-o", tmp_path / "s.store"), ("plan", tmp_path / name)):
        status, _, err = run(*words)
        assert status == 2
        assert "not a regular file" in err


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_decoding_that_takes_too_long_is_given_up(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from abxfast.audio import timed_file

    path = tmp_path / f"a{suffix}"
    soundfile.write(path, speech(320_000), 16_000)
    now = [0.0]
    monkeypatch.setattr(timed_file.time, "monotonic", lambda: now[0])
    blocks = stream(path, 16_000, timeout_s=5)
    assert len(next(blocks))
    read_real = TimedFile._read_real

    def slow(self, buffer):
        now[0] += 3
        return read_real(self, buffer)

    monkeypatch.setattr(TimedFile, "_read_real", slow)
    with pytest.raises(AudioError, match=r"given up: decoding took longer than 5 s"):
        list(blocks)
    with pytest.raises(AudioError, match="given up"):
        list(stream(path, 16_000, timeout_s=1))


def test_ctrl_c_and_failed_reads_inside_the_decoder_get_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, speech(320_000), 16_000)
    for error, expected in ((KeyboardInterrupt(), KeyboardInterrupt), (OSError(5, "Input/output error"), AudioError)):
        blocks = stream(path, 16_000)
        next(blocks)
        with monkeypatch.context() as patch:
            patch.setattr(TimedFile, "_read_real", lambda *_, error=error: (_ for _ in ()).throw(error))
            with pytest.raises(expected):
                list(blocks)


def test_what_a_decoder_prints_is_not_in_the_output(tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    from noise_recordings import write_noise

    from abxfast.embedding import decoder

    write_noise(tmp_path / "a.wav", 2)
    real_stream = decoder.stream

    def chatty(*arguments, **options):
        os.write(1, b"printed by C\n")
        os.write(2, b"printed by C\n")
        return real_stream(*arguments, **options)

    monkeypatch.setattr(decoder, "stream", chatty)
    status, out, err = run("embed", tmp_path / "a.wav", "-o", tmp_path / "s.store", "--snippet", "1", "--json")
    assert status == 0
    assert json.loads(out)["snippets"] == 2
    assert "printed by C" not in err


SOURCES = {
    ".wav": ("WAV", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".w64": ("W64", "PCM_16"),
    ".rf64": ("RF64", "PCM_16"),
    ".caf": ("CAF", "ALAC_16"),
    ".au": ("AU", "PCM_16"),
    ".voc": ("VOC", "PCM_16"),
    ".nist": ("NIST", "PCM_16"),
    ".svx": ("SVX", "PCM_16"),
    ".gsm": ("RAW", "GSM610"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sources")
    raws = {}
    for suffix, (container, codec) in SOURCES.items():
        path = folder / f"a{suffix}"
        soundfile.write(path, speech(8_000, rate_hz=8_000), 8_000, format=container, subtype=codec)
        raws[suffix] = path.read_bytes()
    return raws


def mutate(raw: bytes, data: st.DataObject) -> bytes:
    """Return damaged bytes: some changed, lost, repeated, zeroed, cut off, or taken for another file's."""
    content = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        size = data.draw(st.integers(1, 64))
        kind = data.draw(st.sampled_from(("set", "lose", "repeat", "zero", "cut", "grow")))
        if kind == "set":
            content[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
        elif kind == "lose":
            del content[at : at + size]
        elif kind == "repeat":
            content[at:at] = content[at : at + size]
        elif kind == "zero":
            content[at : at + size] = bytes(len(content[at : at + size]))
        elif kind == "cut":
            del content[at:]
        else:
            content[at : at + 4] = data.draw(st.sampled_from((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80")))
    return bytes(content)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_mutated_recording_is_decoded_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, sources: dict[str, bytes], data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from(sorted(sources)))
    raw = mutate(sources[data.draw(st.sampled_from((suffix, suffix, ".wav")))], data)
    path = tmp_path_factory.getbasetemp() / f"mutated{suffix}"
    path.write_bytes(raw)
    try:
        samples = streamed(path, 8_000)
    except AudioError:
        refusal(path)
    else:
        assert np.isfinite(samples).all()
        assert len(samples) < 60 * 8_000, "invented"


@settings(max_examples=100, deadline=None)
@given(suffix=st.sampled_from(sorted(set(SOURCES) - {".gsm"})), share=st.floats(0.05, 0.97))
def test_a_recording_that_is_cut_anywhere_is_named_or_whole(
    tmp_path_factory: pytest.TempPathFactory, sources: dict[str, bytes], suffix: str, share: float
) -> None:
    path = tmp_path_factory.getbasetemp() / f"cut{suffix}"
    path.write_bytes(sources[suffix][: int(share * len(sources[suffix]))])
    refusal(path)


def test_a_file_name_that_is_not_utf8_is_used_under_an_escaped_name(tmp_path: Path, run) -> None:
    (tmp_path / "audio").mkdir()
    for name in (b"caf\xe9.wav", b"\xff\xfe.wav", b"ok.wav"):
        content = wav(pcm(speech(16_100, seed=zlib.crc32(name))))
        path = tmp_path / "audio" / os.fsdecode(name)
        path.write_bytes(content)
        os.utime(path, (1, 1))
    (tmp_path / "audio" / os.fsdecode(b"bad\xe9.wav")).write_bytes(b"junk")
    names = [item.recording for item in scan_recordings([tmp_path / "audio"]).items]
    assert sorted(names) == ["\\xff\\xfe.wav", "bad\\xe9.wav", "caf\\xe9.wav", "ok.wav"]
    status, _, err = run("embed", tmp_path / "audio", "-o", tmp_path / "s.store", "--snippet", "0.3")
    assert status == 1
    assert "9 snippets of 3 recordings" in err
    assert "bad\\xe9.wav: is not audio" in err
    status, out, _ = run("score", tmp_path / "s.store")
    assert status == 0
    assert "caf\\xe9.wav" in out
    status, _, err = run("embed", tmp_path / "audio", "-o", tmp_path / "s.store", "--snippet", "0.3")
    assert status == 1
    assert "3 recordings in the store already" in err


def test_a_manifest_is_read_beside_files_with_such_names(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"RIFF")
    (tmp_path / "t.csv").write_text("path\ncaf\\xe9.wav\n")
    with pytest.raises(ValueError, match="no such file"):
        read_manifest(tmp_path / "t.csv")


def test_a_name_that_is_too_long_is_refused_in_one_line(tmp_path: Path, run) -> None:
    for words in (
        ("embed", tmp_path / ("n" * 300 + ".wav"), "-o", tmp_path / "s.store"),
        ("embed", tmp_path / ("n" * 300 + ".csv"), "-o", tmp_path / "s.store"),
        ("embed", tmp_path, "-o", tmp_path / ("n" * 300 + ".store")),
        ("score", tmp_path / ("n" * 300)),
        ("info", tmp_path / ("n" * 300)),
        ("plan", tmp_path / ("n" * 300 + ".toml")),
        ("run", tmp_path / ("n" * 300 + ".toml"), "-o", tmp_path / "r"),
        ("score", tmp_path, "-o", tmp_path / ("n" * 300 + ".csv")),
        ("score", tmp_path, "--manifest", tmp_path / ("n" * 300 + ".csv")),
        ("embed", tmp_path, "-o", tmp_path / "s.store", "--encoder", "n" * 300),
    ):
        status, _, err = run(*words)
        assert status == 2
        assert err.startswith("abxfast: ") or "\nabxfast: " in err
        assert "Traceback" not in err

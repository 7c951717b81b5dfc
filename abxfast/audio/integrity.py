"""Integrity of recordings: what a file declares about itself, against what can be decoded of it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from abxfast.audio.channels import MAX_CHANNELS
from abxfast.audio.ffmpeg import FfmpegFile
from abxfast.audio.formats import conversion_command
from abxfast.audio.mp3 import missing_bytes
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    import soundfile

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000

# What libsndfile's log says about the lengths that a file declares.
_CHUNK_SIZE = re.compile(r"^\s*(?:data|SSND|riff|Data Size|BODY)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_RF64_MISMATCH = re.compile(r"^\*\*\* Calculated frame count (\d+) does not match value from 'ds64'", re.MULTILINE)
_RF64_FRAMES = re.compile(r"^\s*Frames\s*: (\d+)", re.MULTILINE)
_VOC_TRUNCATED = re.compile(r"^Seems to be a truncated file", re.MULTILINE)
_NIST_FRAMES = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)

_PLACEHOLDER_SIZES = (range(0x7FFF_F000, 0x8000_1000), range(0xFFFF_F000, 0x1_0000_0000))
"""Sizes that programs which write to a pipe leave in the header; they declare nothing."""
_CHUNK_PADDING = 8
"""Bytes of padding at the end of a chunk that may be missing."""
_UNKNOWN_LENGTH = 1 << 36
"""libsndfile reports a length of at least so many samples where it knows none."""
_MP3_SLACK = 4 * 1152
"""Samples that an MP3 may lack: encoders disagree whether the frame that holds the header counts."""
_CONTAINER_SLACK_S = 0.1
"""Seconds that a recording may lack in a container such as m4a: durations are rounded, and count encoders' padding."""
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""Identifier of the object in a WMA file that declares the size of the file, 40 bytes on, and flags, 88 bytes on."""
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_HEAD = 1 << 16
"""Bytes in which the chunk of samples of a W64 begins."""


def declared_frames(sound: soundfile.SoundFile | FfmpegFile) -> int | None:
    """Return the samples a channel that the header declares; ``None`` if it declares none."""
    return sound.frames if 0 <= sound.frames < _UNKNOWN_LENGTH else None


def check_header(sound: soundfile.SoundFile | FfmpegFile, path: Path) -> None:
    """Check what is known about a recording before it is decoded.

    Raises
    ------
    AudioError
        If its rate or its number of channels is out of range, if it is cut short.
    """
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise AudioError(
            f"{path}: has a rate of {sound.samplerate} Hz, expected {MIN_RATE_HZ} to {MAX_RATE_HZ}; resample it first"
        )
    if sound.channels > MAX_CHANNELS:
        raise AudioError(
            f"{path}: has {sound.channels} channels, expected {MAX_CHANNELS} at most; split it into files first"
        )
    _check_chunk_sizes(sound, path)
    if _RF64_MISMATCH.search(sound.extra_info):
        declared = _RF64_FRAMES.search(sound.extra_info)
        if declared and 0 < sound.frames < int(declared[1]):
            raise _cut_short(sound, path, int(declared[1]))
    if _VOC_TRUNCATED.search(sound.extra_info):
        raise _cut_short(sound, path)
    if isinstance(sound, FfmpegFile):
        _check_container_size(sound, path)
    if sound.format == "MP3" and missing_bytes(path):
        raise _cut_short(sound, path)
    if sound.format == "W64":
        _check_w64(sound, path)
    if sound.format == "NIST":
        _check_nist(sound, path)


def check_decoded(sound: soundfile.SoundFile | FfmpegFile, path: Path, n_decoded: int) -> None:
    """Check a recording that has been decoded to its end.

    Parameters
    ----------
    sound : SoundFile or FfmpegFile
    path : Path
    n_decoded : int
        Samples a channel that were decoded.

    Raises
    ------
    AudioError
        If there are none, or fewer than the header declares.
    """
    if n_decoded == 0:
        raise AudioError(f"{path}: contains no samples; record or export it again")
    declared = declared_frames(sound)
    if declared is not None and n_decoded + _slack(sound) < declared:
        raise _cut_short(sound, path, declared, n_decoded)


def _slack(sound: soundfile.SoundFile | FfmpegFile) -> int:
    """Return the samples by which a recording that is whole may miss its declared length."""
    if sound.format == "MP3":
        return _MP3_SLACK
    return round(_CONTAINER_SLACK_S * sound.samplerate) if isinstance(sound, FfmpegFile) else 0


def _check_chunk_sizes(sound: soundfile.SoundFile | FfmpegFile, path: Path) -> None:
    for sizes in _CHUNK_SIZE.finditer(sound.extra_info):
        declared, actual = int(sizes[1]), int(sizes[2])
        is_placeholder = any(declared in placeholders for placeholders in _PLACEHOLDER_SIZES)
        if actual + _CHUNK_PADDING < declared and not is_placeholder:
            raise _cut_short(sound, path, sound.frames * declared / actual if actual else None)


def _check_container_size(sound: FfmpegFile, path: Path) -> None:
    """Check the size that AVI and WMA declare: of a file that lacks its end, ffmpeg decodes the rest without a word."""
    with path.open("rb") as file:
        head = file.read(1 << 13)
        size = file.seek(0, os.SEEK_END)
    declared = 0
    if head.startswith(b"RIFF"):
        declared = int.from_bytes(head[4:8], "little") + 8
        if any(declared - 8 in placeholders for placeholders in _PLACEHOLDER_SIZES):
            return
    position = head.find(_ASF_PROPERTIES)
    if position >= 0 and not head[position + 88 : position + 89].endswith(
        (b"\x01", b"\x03")
    ):  # the flag of a broadcast, whose size nobody knew
        declared = int.from_bytes(head[position + 40 : position + 48], "little")
    if size + _CHUNK_PADDING < declared:
        raise _cut_short(sound, path)


def _check_w64(sound: soundfile.SoundFile, path: Path) -> None:
    """Check the size of the chunk of samples, which libsndfile does not."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(_W64_HEAD)
    at = head.find(_W64_DATA)
    declared = int.from_bytes(head[at + 16 : at + 24], "little")
    if at >= 0 and at + declared > size + _CHUNK_PADDING:
        raise _cut_short(sound, path, sound.frames * declared / max(1, size - at))


def _check_nist(sound: soundfile.SoundFile | FfmpegFile, path: Path) -> None:
    with path.open("rb") as file:
        declared = _NIST_FRAMES.search(file.read(1024))
    if declared and sound.frames < int(declared[1]):
        raise _cut_short(sound, path, int(declared[1]))


def _cut_short(
    sound: soundfile.SoundFile | FfmpegFile, path: Path, declared: float | None = None, n_decoded: int | None = None
) -> AudioError:
    """Return the error for a recording that has fewer samples than it declares."""
    decodable = (declared_frames(sound) or 0) if n_decoded is None else n_decoded
    only = f", only {decodable / sound.samplerate:.1f} s can be decoded" if decodable else ""
    reason = "its end is missing" if declared is None else f"its header declares {declared / sound.samplerate:.1f} s"
    return AudioError(
        f"{path}: is cut short: {reason}{only}; "
        f"copy it again, or save what is left: {conversion_command(path, '-whole')}"
    )

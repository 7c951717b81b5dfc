"""Recordings to mono blocks at the encoder's rate: decoded by libsndfile, resampled by soxr, as a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_RATE_HZ, MOST_RATE_HZ = 4_000, 384_000
MOST_CHANNELS = 64
BLOCK_S = 8.0
"""Seconds decoded at once: long enough that Python costs nothing, short enough that memory stays small."""

SUFFIXES = frozenset(
    (
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
        *(".au", ".snd", ".caf", ".gsm", ".nist", ".sph", ".voc", ".ircam", ".sf", ".paf", ".svx", ".iff", ".sds"),
        *(".avr", ".pvf", ".sd2", ".xi"),
    )
)
"""Names that count as audio when a folder is searched."""

UNREADABLE_SUFFIXES = frozenset(
    (
        *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".wmv", ".mov", ".mkv", ".mka", ".webm", ".avi", ".mpg", ".mpeg"),
        *(".amr", ".3gp", ".ape", ".wv", ".ra", ".rm", ".ac3", ".dts", ".mp2", ".spx"),
    )
)
"""Names of recordings that libsndfile cannot decode: found all the same, and refused with the way to convert them."""

_HEADERLESS = {".gsm": {"format": "RAW", "subtype": "GSM610", "samplerate": 8_000, "channels": 1}}
_UNKNOWN_LENGTH = 0x7FFF_F000
"""Programs that write to a pipe leave a size from here up in the header: it promises nothing."""
_PROMISE = re.compile(r"^\s*(?:data|SSND|riff|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_OGG = re.compile(r"^Ogg ?: Last page lacks an end-of-stream bit", re.MULTILINE)
_CUT_RF64 = re.compile(r"^\*\*\* Calculated frame count (\d+) does not match value from 'ds64'", re.MULTILINE)


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a recording says.

    Attributes
    ----------
    rate_hz, channels, frames : int
        Samples a second, channels, and samples a channel.
    format : str
        As libsndfile names it, ``WAV PCM_16``.
    """

    rate_hz: int
    channels: int
    frames: int
    format: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate_hz


def probe(path: Path) -> AudioInfo:
    """Read the header of a recording.

    Raises
    ------
    AudioError
        Where there is no such file, it is not audio, is cut short, or its rate or channels are out of range.
    """
    with _open(path) as sound:
        return AudioInfo(sound.samplerate, sound.channels, sound.frames, f"{sound.format} {sound.subtype}")


def parse_channel(text: str) -> int | None:
    """Give the channel that ``mix``, ``0``, ``1`` … names; ``None`` is the mean of all.

    Raises
    ------
    AudioError
        Where `text` names no channel.
    """
    if text == "mix":
        return None
    if text.isdecimal() and int(text) < MOST_CHANNELS:
        return int(text)
    raise AudioError(f"--channel: found {text!r}, expected mix or a number from 0 to {MOST_CHANNELS - 1}")


def stream(
    path: Path, rate_hz: int, *, channel: int | None = None, block_s: float = BLOCK_S
) -> Iterator[NDArray[np.float32]]:
    """Decode a recording in blocks.

    However it is cut into blocks, the samples are the same, bit for bit, as those of the recording read at once.

    Parameters
    ----------
    path : Path
        The recording.
    rate_hz : int
        Rate to resample to (soxr, high quality; untouched where it is the recording's own).
    channel : int, optional
        Channel to take, counted from 0; the mean of all channels unless given.
    block_s : float
        Seconds to decode at once.

    Yields
    ------
    ndarray of float32, shape (n,)
        The next samples, mono, at `rate_hz`, never empty.

    Raises
    ------
    AudioError
        Where the recording cannot be decoded to its end, is empty or digital silence, or holds NaN or infinity.
    """
    with _open(path) as sound:
        if channel is not None and channel >= sound.channels:
            raise AudioError(
                f"{path}: has no channel {channel} (it has {sound.channels}, counted from 0); "
                "take another with --channel"
            )
        resampler = soxr.ResampleStream(sound.samplerate, rate_hz, 1, dtype="float32", quality="HQ")
        same_rate = sound.samplerate == rate_hz
        frames = max(1, round(block_s * sound.samplerate))
        position = 0
        silent = True
        while True:
            block = _read(sound, frames, path, position)
            mono = _mono(block, channel)
            if not np.isfinite(mono).all():
                bad = position + int(np.flatnonzero(~np.isfinite(mono))[0])
                raise AudioError(
                    f"{path}: sample {bad} ({bad / sound.samplerate:.3f} s) is {mono[bad - position]}, "
                    "expected a number; export the recording again as PCM"
                )
            position += len(block)
            silent = silent and not mono.any()
            last = len(block) < frames
            out = mono if same_rate else resampler.resample_chunk(mono, last=last)
            if len(out):
                yield out
            if last:
                break
        if position == 0:
            raise AudioError(f"{path}: holds no samples")
        if 0 <= sound.frames != position and sound.frames < _UNKNOWN_LENGTH:
            raise _cut_short(path, sound.frames / sound.samplerate, position / sound.samplerate)
        if silent:
            which = "" if channel is None else f" of channel {channel}"
            raise AudioError(f"{path}: every sample{which} is zero; export it again, or take another --channel")


def _open(path: Path) -> soundfile.SoundFile:
    suffix = path.suffix.lower()
    if suffix in UNREADABLE_SUFFIXES:
        raise AudioError(
            f"{path}: {suffix[1:]} cannot be decoded here; convert it first: "
            f"ffmpeg -i {_quoted(path.name)} {_quoted(path.stem + '.wav')}"
        )
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes); copy it again from its source")
    try:
        sound = soundfile.SoundFile(path, **_HEADERLESS.get(suffix, {}))
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioError(f"{path}: is not audio that can be decoded ({_reason(error)})") from error
    try:
        _check(sound, path)
    except AudioError:
        sound.close()
        raise
    return sound


def _check(sound: soundfile.SoundFile, path: Path) -> None:
    if not LEAST_RATE_HZ <= sound.samplerate <= MOST_RATE_HZ:
        raise AudioError(
            f"{path}: has a rate of {sound.samplerate} Hz, expected {LEAST_RATE_HZ} to {MOST_RATE_HZ}; resample it first"
        )
    if sound.channels > MOST_CHANNELS:
        raise AudioError(
            f"{path}: has {sound.channels} channels, expected {MOST_CHANNELS} at most; split it into files first"
        )
    log = sound.extra_info
    found_s = sound.frames / sound.samplerate
    for promise in _PROMISE.finditer(log):
        promised, there = int(promise[1]), int(promise[2])
        if there + 8 < promised < _UNKNOWN_LENGTH:  # a chunk's padding may be missing
            raise _cut_short(path, found_s * promised / there, found_s)
    if _CUT_OGG.search(log):
        raise _cut_short(path, None, found_s)
    if _CUT_RF64.search(log):
        frames = re.search(r"^\s*Frames\s*: (\d+)", log, re.MULTILINE)
        if frames and 0 < sound.frames < int(frames[1]):
            raise _cut_short(path, int(frames[1]) / sound.samplerate, found_s)


def _read(sound: soundfile.SoundFile, frames: int, path: Path, position: int) -> NDArray[np.float32]:
    """Read the next `frames` of them; fewer only at the end."""
    try:
        block: NDArray[np.float32] = sound.read(frames, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        where = position / sound.samplerate
        raise AudioError(f"{path}: cannot be decoded from {where:.1f} s on ({_reason(error)}); copy it again") from error
    return block


def _mono(block: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """Take one channel, or the mean, which is added up channel by channel so that it never depends on the block."""
    if channel is not None or block.shape[1] == 1:
        return np.ascontiguousarray(block[:, channel or 0])
    total = block[:, 0].copy()
    for column in range(1, block.shape[1]):
        total += block[:, column]
    total /= np.float32(block.shape[1])
    return total


def _cut_short(path: Path, promised_s: float | None, found_s: float) -> AudioError:
    promise = "its end is missing" if promised_s is None else f"its header promises {promised_s:.1f} s"
    return AudioError(
        f"{path}: is cut short: {promise}, {found_s:.1f} s can be decoded; copy it again, or save what is left anew "
        f"(ffmpeg -i {_quoted(path.name)} {_quoted(path.stem + '-whole.wav')})"
    )


def _reason(error: Exception) -> str:
    """Give libsndfile's own words without the path, which stands in front already."""
    text = getattr(error, "error_string", None) or str(error)
    return text.strip().rstrip(".")


def _quoted(name: str) -> str:
    return f'"{name}"'

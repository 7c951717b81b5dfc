"""Recordings to mono blocks at the encoder's rate: decoded by libsndfile, resampled by soxr, as a stream."""

from __future__ import annotations

import io
import os
import re
import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.errors import AudioError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_CHANNELS = 64
BLOCK_S = 2.0
"""Seconds decoded at once: long enough that Python costs nothing, short enough that memory stays small."""
_MAX_BLOCK = 1 << 22
"""Samples decoded at once at most, over all channels: 64 channels at 384 kHz take no more memory than a few."""

SUFFIXES = frozenset(
    (
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff"),
        *(".aifc", ".au", ".snd", ".caf", ".gsm", ".nist", ".sph", ".voc", ".ircam", ".sf", ".paf", ".svx", ".iff"),
        *(".sds", ".avr", ".pvf", ".sd2", ".xi"),
    )
)
"""Names that count as audio when a folder is searched."""

UNREADABLE_SUFFIXES = frozenset(
    (
        *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".wmv", ".mov", ".mkv", ".mka", ".webm", ".avi", ".mpg", ".mpeg"),
        *(".amr", ".3gp", ".ape", ".wv", ".ra", ".rm", ".ac3", ".dts", ".spx"),
    )
)
"""Names of recordings that libsndfile cannot decode: found all the same, and refused with the way to convert them."""

_HEADERLESS = {".gsm": {"format": "RAW", "subtype": "GSM610", "samplerate": 8_000, "channels": 1}}
_PIPED = (range(0x7FFF_F000, 0x8000_1000), range(0xFFFF_F000, 0x1_0000_0000))
"""Sizes that programs which write to a pipe leave in the header: they promise nothing."""
_PROMISE = re.compile(r"^\s*(?:data|SSND|riff|Data Size|BODY)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_RF64 = re.compile(r"^\*\*\* Calculated frame count (\d+) does not match value from 'ds64'", re.MULTILINE)
_CUT_VOC = re.compile(r"^Seems to be a truncated file", re.MULTILINE)
_OGG_SERIAL = re.compile(r"^Stream serialno : (-?\d+)", re.MULTILINE)
_OGG_PAGE = struct.Struct("<4sBBqIIIB")
"""Capture pattern, version, flags, position, serial number, page number, checksum, number of segments."""
_OGG_LAST = 4
"""The flag of a stream's last page."""
_MAX_OGG_PAGE = _OGG_PAGE.size + 255 + 255 * 255
_MP3_SLACK = 4 * 1152
"""Samples that an MP3 may lack: encoders disagree whether the frame that holds the header counts."""
_NO_LENGTH = 1 << 36
"""From so many samples on, a length is no length."""
_NOT_AUDIO = (1, 7)
"""libsndfile's codes for a format that it does not know, and, with words that mislead, for an .mp3 that is none."""
_SAVE = "copy it again, or save what is left anew"


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a recording says.

    Attributes
    ----------
    rate_hz, channels, frames : int
        Samples a second, channels, and samples a channel: 0 where the header does not tell, as in an MP3 or a FLAC
        that was written to a pipe.
    format : str
        As libsndfile names it, ``WAV PCM_16``.
    """

    rate_hz: int
    channels: int
    frames: int
    format: str

    @property
    def duration_s(self) -> float:
        """Length in seconds, 0 where the header does not tell."""
        return self.frames / self.rate_hz


def probe(path: Path) -> AudioInfo:
    """Read the header of a recording.

    Raises
    ------
    AudioError
        Where there is no such file, it is not audio, is cut short, or its rate or channels are out of range.
    """
    with _open(path) as sound:
        frames = _promised_frames(sound) or 0
        return AudioInfo(sound.samplerate, sound.channels, frames, f"{sound.format} {sound.subtype}")


def libsndfile_version() -> str:
    """Return the version of libsndfile, which decodes."""
    return str(soundfile.__libsndfile_version__)


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    """Write 16-bit mono samples as a WAV file.

    Parameters
    ----------
    path : Path
    samples : ndarray of int16, shape (n,)
    rate_hz : int

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        soundfile.write(path, samples, rate_hz, subtype="PCM_16", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error


def parse_channel(text: str) -> int | None:
    """Give the channel that ``mix``, ``0``, ``1`` … names; ``None`` is the mean of all.

    Raises
    ------
    AudioError
        Where `text` names no channel.
    """
    if text == "mix":
        return None
    if text.isdecimal() and int(text) < MAX_CHANNELS:
        return int(text)
    raise AudioError(f"--channel: found {text!r}, expected mix or a number from 0 to {MAX_CHANNELS - 1}")


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
        frames = max(1, min(round(block_s * sound.samplerate), _MAX_BLOCK // sound.channels))
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
            raise AudioError(f"{path}: holds no samples; record or export it again")
        promised = _promised_frames(sound)
        if promised is not None and position + (_MP3_SLACK if sound.format == "MP3" else 0) < promised:
            raise _cut_short(path, promised / sound.samplerate, position / sound.samplerate)
        if silent:
            which = "" if channel is None else f" of channel {channel}"
            raise AudioError(f"{path}: every sample{which} is zero; export it again, or take another --channel")


class _Sound(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its start to its end.

    soundfile takes a file that can be wound for one that must be: it seeks after every read. An MP3 decoder forgets
    what it carries from frame to frame when it seeks, so that each block would start with a click; a FLAC of unknown
    length and some AIFF cannot seek at all.
    """

    def seekable(self) -> bool:
        return False


class _Endless(io.FileIO):
    """An MP3 without a header that says how long it is.

    libmpg123 then guesses, from the size of the file and of its first frame, and libsndfile stops at that guess: most
    of a recording with a variable bit rate is lost. With a size beyond all measure, it reads what there is.
    """

    _SIZE = 1 << 40
    _past: int | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._past = self._SIZE + offset if whence == os.SEEK_END else None
        return super().seek(offset, whence) if self._past is None else self._past

    def tell(self) -> int:
        return super().tell() if self._past is None else self._past

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        # Behind the end, libmpg123 looks for a tag, and gives up where it can read nothing.
        return (super().readinto(buffer) or 0) if self._past is None else len(buffer)


@contextmanager
def _open(path: Path) -> Iterator[soundfile.SoundFile]:
    suffix = path.suffix.lower()
    if suffix in UNREADABLE_SUFFIXES:
        raise AudioError(f"{path}: {suffix[1:]} cannot be decoded here; convert it first: {_ffmpeg(path, path.stem)}")
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check its name and folder") from None
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check that it is a file and yours to read"
        ) from error
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes); copy it again from its source")
    with ExitStack() as stack:
        try:
            sound = stack.enter_context(_Sound(path, **_HEADERLESS.get(suffix, {})))
            if sound.format == "MP3" and not _mp3_says_its_length(path):
                sound = stack.enter_context(_Sound(stack.enter_context(_Endless(path))))
        except (soundfile.SoundFileError, TypeError) as error:
            what = "is not audio" if getattr(error, "code", 0) in _NOT_AUDIO else "is damaged, cut short or not audio"
            raise AudioError(
                f"{path}: {what} that can be decoded ({_reason(error)}); "
                f"copy it again, or convert it: {_ffmpeg(path, path.stem + '-whole')}"
            ) from error
        _check(sound, path)
        yield sound


def _mp3_says_its_length(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(10)
        if head.startswith(b"ID3"):
            # Seven bits a byte.
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
            head = b""
        head += file.read(200)
    return any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))


def _promised_frames(sound: soundfile.SoundFile) -> int | None:
    return sound.frames if 0 <= sound.frames < _NO_LENGTH else None


def _check(sound: soundfile.SoundFile, path: Path) -> None:
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise AudioError(
            f"{path}: has a rate of {sound.samplerate} Hz, expected {MIN_RATE_HZ} to {MAX_RATE_HZ}; resample it first"
        )
    if sound.channels > MAX_CHANNELS:
        raise AudioError(
            f"{path}: has {sound.channels} channels, expected {MAX_CHANNELS} at most; split it into files first"
        )
    log = sound.extra_info
    found_s = sound.frames / sound.samplerate
    for promise in _PROMISE.finditer(log):
        promised, there = int(promise[1]), int(promise[2])
        piped = any(promised in sizes for sizes in _PIPED)
        if there + 8 < promised and not piped:  # a chunk's padding may be missing
            raise _cut_short(path, found_s * promised / there if there else None, found_s)
    if _CUT_RF64.search(log):
        frames = re.search(r"^\s*Frames\s*: (\d+)", log, re.MULTILINE)
        if frames and 0 < sound.frames < int(frames[1]):
            raise _cut_short(path, int(frames[1]) / sound.samplerate, found_s)
    if _CUT_VOC.search(log):
        raise _cut_short(path, None, found_s)
    if sound.format == "OGG":
        _check_ogg_end(sound, path)
    if sound.format == "NIST":
        _check_nist(sound, path)


def _check_ogg_end(sound: soundfile.SoundFile, path: Path) -> None:
    """Look at the last page: libsndfile takes a file that is cut within it for one with junk at its end."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_OGG_PAGE))
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_PAGE.size:
        raise _cut_short(path, None, sound.frames / sound.samplerate)
    _, _, flags, _, serial, _, _, segments = _OGG_PAGE.unpack_from(page)
    body = _OGG_PAGE.size + segments
    if not flags & _OGG_LAST or len(page) < body + sum(page[_OGG_PAGE.size : body]):
        raise _cut_short(path, None, sound.frames / sound.samplerate)
    own = _OGG_SERIAL.search(sound.extra_info)
    if own and int(own[1]) % (1 << 32) != serial:
        raise AudioError(
            f"{path}: holds several recordings one after the other, expected one; "
            f"make one of them first: {_ffmpeg(path, path.stem + '-whole')}"
        )


def _check_nist(sound: soundfile.SoundFile, path: Path) -> None:
    with path.open("rb") as file:
        count = re.search(rb"^sample_count -i (\d+)", file.read(1024), re.MULTILINE)
    if count and sound.frames < int(count[1]):
        raise _cut_short(path, int(count[1]) / sound.samplerate, sound.frames / sound.samplerate)


def _read(sound: soundfile.SoundFile, frames: int, path: Path, position: int) -> NDArray[np.float32]:
    """Read the next `frames` of them; fewer only at the end."""
    try:
        block: NDArray[np.float32] = sound.read(frames, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        start_s, stop_s = position / sound.samplerate, (position + frames) / sound.samplerate
        raise AudioError(
            f"{path}: is damaged or cut short: decoding fails between {start_s:.1f} and {stop_s:.1f} s "
            f"({_reason(error)}); {_SAVE} ({_ffmpeg(path, path.stem + '-whole')})"
        ) from error
    return block


def _mono(block: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """Take one channel, or the mean, which is added up channel by channel so that it never depends on the block."""
    if channel is not None or block.shape[1] == 1:
        return np.ascontiguousarray(block[:, channel or 0])
    total = block[:, 0].copy()
    with np.errstate(over="ignore", invalid="ignore"):  # what is not a number is found, and named, in the mean
        for column in range(1, block.shape[1]):
            total += block[:, column]
    total /= np.float32(block.shape[1])
    return total


def _cut_short(path: Path, promised_s: float | None, found_s: float) -> AudioError:
    promise = "its end is missing" if promised_s is None else f"its header promises {promised_s:.1f} s"
    return AudioError(
        f"{path}: is cut short: {promise}, {found_s:.1f} s can be decoded; "
        f"{_SAVE} ({_ffmpeg(path, path.stem + '-whole')})"
    )


def _reason(error: Exception) -> str:
    """Give libsndfile's own words without the path, which stands in front already."""
    if getattr(error, "code", 0) == _NOT_AUDIO[1]:
        return "no MPEG audio in it"
    text = getattr(error, "error_string", None) or str(error)
    return text.strip().rstrip(".")


def _ffmpeg(path: Path, stem: str) -> str:
    return f'ffmpeg -i "{path.name}" "{stem}.wav"'

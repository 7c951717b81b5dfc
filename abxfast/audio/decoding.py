"""Decoding: recordings as a stream of mono blocks, decoded by libsndfile and resampled by soxr."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.audio.channels import to_mono
from abxfast.audio.formats import HEADERLESS_FORMATS, UNREADABLE_SUFFIXES, conversion_command
from abxfast.audio.integrity import check_decoded, check_header, declared_frames
from abxfast.audio.mp3 import UnboundedFile, declares_length
from abxfast.errors import AudioError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK_S = 2.0
"""Seconds decoded at once: enough that Python's share of the time is negligible, few enough that memory stays small."""
_MAX_BLOCK_SAMPLES = 1 << 22
"""Samples decoded at once at most, over all channels: 64 channels at 384 kHz need no more memory than a few."""
_UNKNOWN_FORMAT, _NOT_MPEG = 1, 7
"""libsndfile's codes for a format that it does not know, and for an ``.mp3`` that is none (with misleading words)."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a recording declares.

    Attributes
    ----------
    rate_hz : int
        Sampling rate.
    channels : int
        Number of channels.
    frames : int
        Samples a channel; 0 if the header does not declare it, as in an MP3 or a FLAC that was written to a pipe.
    format : str
        Container and codec as libsndfile names them, such as ``WAV PCM_16``.
    """

    rate_hz: int
    channels: int
    frames: int
    format: str

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 if the header does not declare it."""
        return self.frames / self.rate_hz


def libsndfile_version() -> str:
    """Return the version of libsndfile, which decodes."""
    return str(soundfile.__libsndfile_version__)


def probe(path: Path) -> AudioInfo:
    """Read the header of a recording.

    Raises
    ------
    AudioError
        If the file does not exist, is not audio or is cut short, or if its rate or channels are out of range.
    """
    with open_sound(path) as sound:
        return AudioInfo(
            sound.samplerate, sound.channels, declared_frames(sound) or 0, f"{sound.format} {sound.subtype}"
        )


def stream(
    path: Path, rate_hz: int, *, channel: int | None = None, block_s: float = BLOCK_S
) -> Iterator[NDArray[np.float32]]:
    """Decode a recording in blocks.

    The concatenated blocks are the same, bit for bit, for every `block_s`.

    Parameters
    ----------
    path : Path
        The recording.
    rate_hz : int
        Rate to resample to (soxr, high quality); at the recording's own rate, samples are not touched.
    channel : int, optional
        Channel to decode, counted from 0; by default the mean of all channels.
    block_s : float
        Seconds to decode at once.

    Yields
    ------
    ndarray of float32, shape (n,)
        The next samples, mono, at `rate_hz`; never empty.

    Raises
    ------
    AudioError
        If the recording cannot be decoded to its end, is empty or digital silence, or contains NaN or infinity.
    """
    with open_sound(path) as sound:
        if channel is not None and channel >= sound.channels:
            raise AudioError(
                f"{path}: has no channel {channel} (it has {sound.channels}, counted from 0); choose another `channel`"
            )
        resampler = soxr.ResampleStream(sound.samplerate, rate_hz, 1, dtype="float32", quality="HQ")
        same_rate = sound.samplerate == rate_hz
        n_frames = max(1, min(round(block_s * sound.samplerate), _MAX_BLOCK_SAMPLES // sound.channels))
        n_decoded = 0
        silent = True
        last = False
        while not last:
            block = _read(sound, n_frames, path, n_decoded)
            mono = to_mono(block, channel)
            if not np.isfinite(mono).all():
                raise _not_finite(mono, path, n_decoded, sound.samplerate)
            n_decoded += len(block)
            silent = silent and not mono.any()
            last = len(block) < n_frames
            resampled = mono if same_rate else resampler.resample_chunk(mono, last=last)
            if len(resampled):
                yield resampled
        check_decoded(sound, path, n_decoded)
        if silent:
            which = "" if channel is None else f" of channel {channel}"
            raise AudioError(f"{path}: every sample{which} is zero; export it again, or choose another `channel`")


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


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its start to its end.

    soundfile seeks after every read of a file that is seekable. An MP3 decoder loses its state when it seeks, so that
    each block would start with a click; a FLAC of unknown length and some AIFF files cannot seek at all.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def open_sound(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a recording; raise `AudioError` if that fails."""
    suffix = path.suffix.lower()
    if suffix in UNREADABLE_SUFFIXES:
        raise AudioError(
            f"{path}: {suffix[1:]} cannot be decoded by libsndfile; convert it first: {conversion_command(path)}"
        )
    _check_file(path)
    with ExitStack() as stack:
        try:
            sound = stack.enter_context(_SequentialFile(path, **HEADERLESS_FORMATS.get(suffix, {})))
            if sound.format == "MP3" and not declares_length(path):
                sound = stack.enter_context(_SequentialFile(stack.enter_context(UnboundedFile(path))))
        except (soundfile.SoundFileError, TypeError) as error:
            is_audio = getattr(error, "code", 0) not in (_UNKNOWN_FORMAT, _NOT_MPEG)
            problem = "is damaged, cut short or not audio" if is_audio else "is not audio"
            raise AudioError(
                f"{path}: {problem} that can be decoded ({_reason(error)}); "
                f"copy it again, or convert it: {conversion_command(path, '-whole')}"
            ) from error
        check_header(sound, path)
        yield sound


def _check_file(path: Path) -> None:
    """Check that a file can be read and is not empty."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check its name and folder") from None
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check that it is a file and that you may read it"
        ) from error
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes); copy it again from its source")


def _read(sound: soundfile.SoundFile, n_frames: int, path: Path, position: int) -> NDArray[np.float32]:
    """Read the next samples, shape (n_frames, channels); fewer only at the end."""
    try:
        block: NDArray[np.float32] = sound.read(n_frames, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        start_s, stop_s = position / sound.samplerate, (position + n_frames) / sound.samplerate
        raise AudioError(
            f"{path}: is damaged or cut short: decoding fails between {start_s:.1f} and {stop_s:.1f} s "
            f"({_reason(error)}); copy it again, or save what is left: {conversion_command(path, '-whole')}"
        ) from error
    return block


def _not_finite(mono: NDArray[np.float32], path: Path, position: int, rate_hz: int) -> AudioError:
    """Return the error for a block, which starts at sample `position`, that contains NaN or infinity."""
    first = int(np.flatnonzero(~np.isfinite(mono))[0])
    sample = position + first
    return AudioError(
        f"{path}: sample {sample} ({sample / rate_hz:.3f} s) is {mono[first]}, "
        "expected a finite number; export the recording again as PCM"
    )


def _reason(error: Exception) -> str:
    """Return libsndfile's own words without the path, which the message begins with."""
    if getattr(error, "code", 0) == _NOT_MPEG:
        return "no MPEG audio in it"
    text = getattr(error, "error_string", None) or str(error)
    return text.strip().rstrip(".")

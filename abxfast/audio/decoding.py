"""Decoding: recordings as a stream of mono blocks, decoded by libsndfile or ffmpeg and resampled by soxr."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.audio.channels import MixMeter, to_mono
from abxfast.audio.integrity import check_decoded, declared_frames
from abxfast.audio.sound_file import open_sound
from abxfast.audio.timed_file import DEFAULT_TIMEOUT_S
from abxfast.errors import AudioError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

BLOCK_S = 2.0
"""Seconds decoded at once: enough that Python's share of the time is negligible, few enough that memory stays small."""
_MAX_BLOCK_SAMPLES = 1 << 22
"""Samples decoded at once at most, over all channels: 64 channels at 384 kHz need no more memory than a few."""


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
        Container and codec as libsndfile names them, such as ``WAV PCM_16``; ``M4A aac`` if ffmpeg decodes it.
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


def probe(path: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> AudioInfo:
    """Read the header of a recording.

    Parameters
    ----------
    path : Path
    timeout_s : float
        Seconds after which it is given up.

    Raises
    ------
    AudioError
        If the file does not exist, is not audio or is cut short, or if its rate or channels are out of range.
    """
    with open_sound(path, timeout_s) as sound:
        return AudioInfo(
            sound.samplerate, sound.channels, declared_frames(sound) or 0, f"{sound.format} {sound.subtype}"
        )


def stream(
    path: Path,
    rate_hz: int,
    *,
    channel: int | None = None,
    block_s: float = BLOCK_S,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    mix_meter: MixMeter | None = None,
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
    timeout_s : float
        Seconds that opening the recording, or decoding one block of it, may take.
    mix_meter : MixMeter, optional
        Fed with all channels.

    Yields
    ------
    ndarray of float32, shape (n,)
        The next samples, mono, at `rate_hz`; never empty.

    Raises
    ------
    AudioError
        If the recording cannot be decoded to its end, is empty or digital silence, contains NaN or
        infinity, or takes longer than `timeout_s`.
    """
    with open_sound(path, timeout_s) as sound:
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
        meter = mix_meter or MixMeter()
        while not last:
            block = sound.read_block(n_frames, n_decoded)
            mono = to_mono(block, channel)
            if not np.isfinite(mono).all():
                raise _not_finite(mono, path, n_decoded, sound.samplerate)
            n_decoded += len(block)
            meter.feed(block)
            silent = silent and not mono.any()
            last = len(block) < n_frames
            resampled = mono if same_rate else resampler.resample_chunk(mono, last=last)
            if len(resampled):
                yield resampled
        check_decoded(sound, path, n_decoded)
        if not sound.is_end_marked:
            logger.warning(
                "%s: its end is not marked; it is used, but had it been cut short between two pages, nobody could tell",
                path,
            )
        if silent and channel is None and meter.cancels:
            raise AudioError(f"{path}: {meter.warning()}")
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


def _not_finite(mono: NDArray[np.float32], path: Path, position: int, rate_hz: int) -> AudioError:
    """Return the error for a block, which starts at sample `position`, that contains NaN or infinity."""
    first = int(np.flatnonzero(~np.isfinite(mono))[0])
    sample = position + first
    return AudioError(
        f"{path}: sample {sample} ({sample / rate_hz:.3f} s) is {mono[first]}, "
        "expected a finite number; export the recording again as PCM"
    )

"""Clips of recordings, small enough for a web page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.audio.channels import to_mono
from abxfast.audio.ffmpeg import FfmpegFile
from abxfast.audio.sound_file import open_sound
from abxfast.audio.timed_file import DEFAULT_TIMEOUT_S
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.audio.sound_file import SequentialFile

_RATE_HZ = 48_000
"""The rate at which Opus works inside: the encoder is slow at others."""


def encode_clip(path: Path, start_s: float, seconds: float, *, channel: int | None = None) -> bytes:
    """Return a stretch of a recording as Opus in Ogg, mono: about 4 kB a second.

    Parameters
    ----------
    path : Path
        The recording.
    start_s, seconds : float
        Where the stretch begins, and how long it is; it ends earlier if the recording does.
    channel : int, optional
        Channel to decode, counted from 0; by default the mean of all channels.

    Returns
    -------
    bytes

    Raises
    ------
    AudioError
        If the recording cannot be decoded there, or ends before.
    """
    with open_sound(path, DEFAULT_TIMEOUT_S) as sound:
        start, n_frames = round(start_s * sound.samplerate), round(seconds * sound.samplerate)
        try:
            _skip(sound, start)
            block = sound.read_block(n_frames, start)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError(f"{path}: cannot be decoded at {start_s:g} s ({error})") from error
        if not len(block):
            raise AudioError(f"{path}: has no audio at {start_s:g} s")
        mono = soxr.resample(to_mono(block, channel), sound.samplerate, _RATE_HZ)
    mono /= max(1.0, float(np.abs(mono).max(initial=0.0)))
    buffer = io.BytesIO()
    soundfile.write(buffer, mono, _RATE_HZ, format="OGG", subtype="OPUS")
    return buffer.getvalue()


def _skip(sound: SequentialFile | FfmpegFile, n_frames: int) -> None:
    """Move on from the start of a recording; ffmpeg, which cannot be moved, decodes what is skipped."""
    if not isinstance(sound, FfmpegFile):
        sound.seek(n_frames)
        return
    position = 0
    while position < n_frames:
        block = sound.read_block(min(n_frames - position, sound.samplerate), position)
        position += len(block)
        if not len(block):
            return

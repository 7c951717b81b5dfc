"""Clips of recordings, small enough for a web page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from abxfast.audio.channels import to_mono
from abxfast.audio.decoding import open_sound
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

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
    with open_sound(path) as sound:
        try:
            sound.seek(round(start_s * sound.samplerate))
            block = sound.read(round(seconds * sound.samplerate), dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError(f"{path}: cannot be decoded at {start_s:g} s ({error})") from error
        if not len(block):
            raise AudioError(f"{path}: has no audio at {start_s:g} s")
        mono = soxr.resample(to_mono(block, channel), sound.samplerate, _RATE_HZ)
    mono /= max(1.0, float(np.abs(mono).max(initial=0.0)))
    buffer = io.BytesIO()
    soundfile.write(buffer, mono, _RATE_HZ, format="OGG", subtype="OPUS")
    return buffer.getvalue()

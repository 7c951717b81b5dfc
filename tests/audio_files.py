"""Recordings for tests: signals, files of any format, WAV files by hand, and what decoding says about them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from abxfast.audio import stream
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX_OF = dict(
    [
        *[("WAV", ".wav"), ("WAVEX", ".WAV"), ("RF64", ".rf64"), ("W64", ".w64"), ("AIFF", ".aiff"), ("AU", ".au")],
        *[("CAF", ".caf"), ("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".mp3"), ("RAW", ".gsm"), ("NIST", ".sph")],
        *[("VOC", ".voc"), ("IRCAM", ".sf"), ("PAF", ".paf"), ("SVX", ".svx"), ("SDS", ".sds"), ("AVR", ".avr")],
        *[("PVF", ".pvf"), ("MPC2K", ".snd")],
    ]
)
"""Suffix of a file name by libsndfile's name of the container."""


def speech(n: int, channels: int = 1, seed: int = 0, rate_hz: int = 16_000) -> np.ndarray:
    """Return noise with gaps, and tones, which make a variable bit rate vary; float32, shape (n, channels)."""
    rng = np.random.default_rng(seed)
    time = np.arange(n)[:, None] / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 220 * (1 + np.arange(channels)) ** 0.5 * time)
    noise = 0.2 * rng.standard_normal((n, channels)) * (np.sin(5 * time) > 0)
    return np.clip(tone + noise, -0.9, 0.9).astype(np.float32)


def pcm(samples: np.ndarray) -> bytes:
    """Return samples as 16-bit PCM."""
    return (samples * 32_767).astype("<i2").tobytes()


def wav(data: bytes, *, size: int | None = None, rate_hz: int = 16_000, channels: int = 1, tail: bytes = b"") -> bytes:
    """Return a 16-bit WAV file made by hand, whose header may declare another size than that of its data."""
    layout = struct.pack("<HHIIHH", 1, channels, rate_hz, 2 * channels * rate_hz % (1 << 32), 2 * channels, 16)
    size = len(data) if size is None else size
    body = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", size) + data + tail
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def streamed(path: Path, rate_hz: int = 16_000, **options: object) -> np.ndarray:
    """Return the concatenated blocks of a recording."""
    blocks = list(stream(path, rate_hz, **options))
    assert all(len(block) and block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def refusal(path: Path, **options: object) -> str:
    """Return the message with which a recording is refused: one line with its name and a remedy."""
    with pytest.raises(AudioError) as caught:
        streamed(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert ";" in message, f"has no remedy: {message}"
    return message

"""Channels: which one to decode, or the mean of all, and whether channels cancel each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHANNELS = 64
_CANCELLED_DB = 7.0
"""Decibels by which a mix must be below that of unrelated channels for the channels to cancel each other."""


def parse_channel(text: str) -> int | None:
    """Return the channel that ``mix``, ``0``, ``1`` … names; ``None`` is the mean of all channels.

    Raises
    ------
    AudioError
        If `text` names no channel.
    """
    if text == "mix":
        return None
    if text.isdecimal() and int(text) < MAX_CHANNELS:
        return int(text)
    raise AudioError(f"`channel`: found {text!r}, expected 'mix' or a number from 0 to {MAX_CHANNELS - 1}")


def to_mono(block: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """Return one channel of a block, or the mean of all.

    The mean is summed channel by channel, so that a sample never depends on the length of its block.

    Parameters
    ----------
    block : ndarray of float32, shape (n, channels)
    channel : int or None
        Counted from 0; ``None`` is the mean of all channels.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    if channel is not None or block.shape[1] == 1:
        return np.ascontiguousarray(block[:, channel or 0])
    total = block[:, 0].copy()
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # a value that is not finite stays so in the mean, and is reported
        for column in range(1, block.shape[1]):
            total += block[:, column]
    total /= np.float32(block.shape[1])
    return total


class MixMeter:
    """Measures how much of the power of the channels is left in their mean."""

    def __init__(self) -> None:
        self._n_channels = 1
        self._mix_power = 0.0
        self._channel_power = 0.0

    def feed(self, block: NDArray[np.float32]) -> None:
        """Take the next samples of all channels, shape (n, channels)."""
        self._n_channels = block.shape[1]
        if self._n_channels > 1:
            samples = block.astype(np.float64)
            self._mix_power += float(np.square(samples.mean(axis=1)).sum())
            self._channel_power += float(np.square(samples).sum()) / self._n_channels

    @property
    def mix_db(self) -> float:
        """Level of the mean of all channels in decibels relative to that of a channel; 0 for a single channel."""
        if not self._channel_power:
            return 0.0
        return 10 * math.log10(self._mix_power / self._channel_power) if self._mix_power else -math.inf

    @property
    def cancels(self) -> bool:
        """Whether the channels cancel each other: the mean of two is at −10 dB or less."""
        return self.mix_db <= -10 * math.log10(self._n_channels) - _CANCELLED_DB

    def warning(self) -> str:
        """Return what to do about channels that cancel each other; empty if they do not."""
        if not self.cancels:
            return ""
        level = f"{-self.mix_db:.0f} dB below" if math.isfinite(self.mix_db) else "silent, unlike"
        return f"its channels cancel each other (the mix is {level} a single channel); use `channel='0'`"

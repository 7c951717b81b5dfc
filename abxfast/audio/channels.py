"""Channels: which one to decode, or the mean of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHANNELS = 64


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

"""Filtering: the sampling rate of the stimuli, and filters that voices and rooms share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Signal = NDArray[np.float64]

RATE_HZ = 16_000


def filter_spectrum(signal: Signal, gain: Callable[[Signal], Signal]) -> Signal:
    """Multiply the spectrum of a signal by a real gain, which shifts no phase.

    Parameters
    ----------
    signal : ndarray of float64, shape (n,)
    gain : callable
        The gain as a function of the frequencies in Hz, shape (n // 2 + 1,).

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    spectrum = np.fft.rfft(signal)
    hz = np.linspace(0, (len(spectrum) - 1) * RATE_HZ / len(signal), len(spectrum))
    return np.fft.irfft(spectrum * gain(hz), len(signal))

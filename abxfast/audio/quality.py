"""How a recording was made, measured on its samples as they stream by: level, clipping, bandwidth, noise floor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.audio import decoding as audio
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

QUALITY_MEASURES = ("level_db", "clipping", "bandwidth_hz", "noise_db", "rate_hz", "channels")
"""What may go along with a score without being what was asked about."""
_FRAME = 1024
_BAND_DB = 50.0
_STRETCH_S = 0.05
_QUIET = 0.1
_FLAT = 1e-4


@dataclass(frozen=True)
class AudioQuality:
    """What was measured; NaN where it could not be.

    Attributes
    ----------
    seconds : float
    rate_hz, channels : int or None
        Of the file.
    level_db : float
        Root mean square, dB re full scale.
    clipping : float
        Share of samples that are the third or later in a row at the peak.
    bandwidth_hz : float
        Highest frequency whose mean power comes within 50 dB of the strongest.
    noise_db : float
        Level that the quietest tenth of its 50 ms stretches stay below, digital silence left out.
    note : str
        Why something is missing.
    """

    seconds: float = math.nan
    rate_hz: int | None = None
    channels: int | None = None
    level_db: float = math.nan
    clipping: float = math.nan
    bandwidth_hz: float = math.nan
    noise_db: float = math.nan
    note: str = ""


def measure_quality(path: Path, channel: int | None = None) -> AudioQuality:
    """Measure a recording, of which no more than a few seconds are held at a time.

    Parameters
    ----------
    path : Path
    channel : int, optional
        The channel that the encoder hears; the mean of all unless given.
    """
    try:
        info = audio.probe(path)
        return _measure(audio.stream(path, info.rate_hz, channel=channel), info.rate_hz, info.channels)
    except AudioError as error:
        return AudioQuality(note=str(error))


def _measure(blocks: Iterator[NDArray[np.float32]], rate_hz: int, channels: int) -> AudioQuality:
    clipped, spectrum, quiet = _Clipping(), _Spectrum(), _Stretches(round(_STRETCH_S * rate_hz))
    n, energy = 0, 0.0
    for block in blocks:
        wave = block.astype(np.float64)
        n += len(wave)
        energy += float(np.square(wave).sum())  # a dot product would wake all threads for each block
        clipped.feed(wave)
        spectrum.feed(wave)
        quiet.feed(wave)
    return AudioQuality(
        seconds=n / rate_hz,
        rate_hz=rate_hz,
        channels=channels,
        level_db=10 * math.log10(energy / n),
        clipping=clipped.count / n,
        bandwidth_hz=spectrum.bandwidth() * rate_hz,
        noise_db=quiet.noise_db(),
    )


class _Clipping:
    """Counts samples at the peak, upper and lower each for itself, that follow two others there.

    A higher peak starts anew.
    """

    def __init__(self) -> None:
        self._counts = {1: 0, -1: 0}
        self._peaks = {1: 0.0, -1: 0.0}
        self._last = np.zeros(0)

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    def feed(self, wave: NDArray[np.float64]) -> None:
        joined = np.concatenate((self._last, wave))
        for sign in (1, -1):
            peak = float((sign * joined).max())
            if peak > self._peaks[sign]:
                self._peaks[sign], self._counts[sign] = peak, 0
            if self._peaks[sign]:
                at_peak = sign * joined >= self._peaks[sign] * (1 - _FLAT)
                self._counts[sign] += int((at_peak[2:] & at_peak[1:-1] & at_peak[:-2]).sum())
        self._last = joined[-2:]


class _Spectrum:
    """Adds up the power of frames of 1024 samples."""

    def __init__(self) -> None:
        self._power = np.zeros(_FRAME // 2 + 1)
        self._window = np.hanning(_FRAME)
        self._rest = np.zeros(0)

    def feed(self, wave: NDArray[np.float64]) -> None:
        joined = np.concatenate((self._rest, wave))
        n = len(joined) // _FRAME
        frames = joined[: n * _FRAME].reshape(n, _FRAME) * self._window
        self._power += (np.abs(np.fft.rfft(frames)) ** 2).sum(axis=0)
        self._rest = joined[n * _FRAME :]

    def bandwidth(self) -> float:
        """Give the bandwidth in cycles a sample; NaN of less than a frame."""
        if not self._power.any():
            return math.nan
        strong = self._power >= self._power.max() * 10 ** (-_BAND_DB / 10)
        return float(np.flatnonzero(strong)[-1]) / _FRAME


class _Stretches:
    """Keeps the energy of each 50 ms."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._energies: list[NDArray[np.float64]] = []
        self._rest = np.zeros(0)

    def feed(self, wave: NDArray[np.float64]) -> None:
        joined = np.concatenate((self._rest, wave))
        n = len(joined) // self._samples
        self._energies.append((joined[: n * self._samples].reshape(n, self._samples) ** 2).mean(axis=1))
        self._rest = joined[n * self._samples :]

    def noise_db(self) -> float:
        energies = np.concatenate(self._energies) if self._energies else np.zeros(0)
        energies = energies[energies > 0]
        return 10 * math.log10(float(np.quantile(energies, _QUIET))) if len(energies) else math.nan

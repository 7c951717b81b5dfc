"""Audio quality: level, clipping, bandwidth and noise floor of a recording, measured as its samples stream by."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from abxfast.audio.channels import MixMeter
from abxfast.audio.decoding import probe, stream
from abxfast.audio.fingerprint import FingerprintMeter
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

QUALITY_MEASURES = ("level_db", "clipping", "bandwidth_hz", "noise_db", "rate_hz", "channels")
"""Fields of `AudioQuality` that may confound a score: they describe how a recording was made, not what was said."""
_SPECTRUM_FRAME = 1024
"""Samples in a frame of the spectrum."""
_BANDWIDTH_DB = 50.0
"""Decibels below the strongest frequency at which the band ends."""
_NOISE_STRETCH_S = 0.05
"""Seconds over which the level is averaged for the noise floor."""
_NOISE_QUANTILE = 0.1
_PEAK_TOLERANCE = 1e-4
"""Relative distance from the peak within which a sample counts as at the peak."""


@dataclass(frozen=True)
class AudioQuality:
    """Measures of how a recording was made; NaN or ``None`` if they could not be taken.

    Attributes
    ----------
    seconds : float
        Length of the recording.
    rate_hz, channels : int or None
        Sampling rate and number of channels of the file.
    level_db : float
        Root mean square, in dB relative to full scale.
    clipping : float
        Share of samples that are at the peak, as are the two before them.
    bandwidth_hz : float
        Highest frequency whose mean power is within 50 dB of that of the strongest.
    noise_db : float
        10% quantile of the level in stretches of 50 ms, in dB relative to full scale; without digital silence.
    mix_db : float
        Level of the mean of all channels, in dB relative to that of a channel; 0 for a single channel.
    fingerprint : str
        See `find_audio_copies`.
    note : str
        Why the recording could not be measured, or what is wrong with it.
    """

    seconds: float = math.nan
    rate_hz: int | None = None
    channels: int | None = None
    level_db: float = math.nan
    clipping: float = math.nan
    bandwidth_hz: float = math.nan
    noise_db: float = math.nan
    mix_db: float = math.nan
    fingerprint: str = ""
    note: str = ""


def measure_quality(path: Path, channel: int | None = None) -> AudioQuality:
    """Measure a recording, of which no more than a few seconds are held at a time.

    Parameters
    ----------
    path : Path
        The recording.
    channel : int, optional
        The channel that the encoder is given, counted from 0; by default the mean of all channels.

    Returns
    -------
    AudioQuality
        If the recording cannot be decoded, its `note` is the reason; no error is raised.
    """
    try:
        info, mix = probe(path), MixMeter()
        blocks = stream(path, info.rate_hz, channel=channel, mix_meter=mix)
        quality = _measure(blocks, info.rate_hz, info.channels)
        warning = mix.warning() if channel is None else ""
        return replace(quality, mix_db=mix.mix_db, note=f"{path}: {warning}" if warning else "")
    except AudioError as error:
        return AudioQuality(note=str(error))


def _measure(blocks: Iterator[NDArray[np.float32]], rate_hz: int, channels: int) -> AudioQuality:
    level, clipping, bandwidth = _LevelMeter(), _ClippingMeter(), _BandwidthMeter()
    noise = _NoiseMeter(round(_NOISE_STRETCH_S * rate_hz))
    fingerprint = FingerprintMeter(rate_hz)
    meters = (level, clipping, bandwidth, noise, fingerprint)
    for block in blocks:
        wave = block.astype(np.float64)
        for meter in meters:
            meter.feed(wave)
    return AudioQuality(
        seconds=level.n_samples / rate_hz,
        rate_hz=rate_hz,
        channels=channels,
        level_db=level.level_db(),
        clipping=clipping.n_clipped() / level.n_samples,
        bandwidth_hz=bandwidth.bandwidth() * rate_hz,
        noise_db=noise.noise_db(),
        fingerprint=fingerprint.fingerprint(),
    )


class _LevelMeter:
    """Measures the root mean square."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._energy = 0.0

    def feed(self, wave: NDArray[np.float64]) -> None:
        self.n_samples += len(wave)
        self._energy += float(np.square(wave).sum())  # a dot product would wake the threads of BLAS for each block

    def level_db(self) -> float:
        return 10 * math.log10(self._energy / self.n_samples)


class _ClippingMeter:
    """Counts samples that are at the peak, as are the two before them; upper and lower peak separately.

    A higher peak resets the count.
    """

    def __init__(self) -> None:
        self._counts = {1: 0, -1: 0}
        self._peaks = {1: 0.0, -1: 0.0}
        self._previous = np.zeros(0)

    def feed(self, wave: NDArray[np.float64]) -> None:
        joined = np.concatenate((self._previous, wave))
        for sign in (1, -1):
            peak = float((sign * joined).max())
            if peak > self._peaks[sign]:
                self._peaks[sign], self._counts[sign] = peak, 0
            if self._peaks[sign]:
                at_peak = sign * joined >= self._peaks[sign] * (1 - _PEAK_TOLERANCE)
                self._counts[sign] += int((at_peak[2:] & at_peak[1:-1] & at_peak[:-2]).sum())
        self._previous = joined[-2:]

    def n_clipped(self) -> int:
        return sum(self._counts.values())


class _Framer:
    """Splits a stream into frames of equal length, without overlap; an incomplete last frame is left out."""

    def __init__(self, frame_length: int) -> None:
        self._frame_length = frame_length
        self._rest = np.zeros(0)

    def frames(self, wave: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the frames that the next samples complete, shape (n, frame_length)."""
        joined = np.concatenate((self._rest, wave))
        n_framed = len(joined) // self._frame_length * self._frame_length
        self._rest = joined[n_framed:]
        return joined[:n_framed].reshape(-1, self._frame_length)


class _BandwidthMeter:
    """Sums the power spectra of frames."""

    def __init__(self) -> None:
        self._framer = _Framer(_SPECTRUM_FRAME)
        self._window = np.hanning(_SPECTRUM_FRAME)
        self._power = np.zeros(_SPECTRUM_FRAME // 2 + 1)

    def feed(self, wave: NDArray[np.float64]) -> None:
        spectra = np.fft.rfft(self._framer.frames(wave) * self._window)
        self._power += (np.abs(spectra) ** 2).sum(axis=0)

    def bandwidth(self) -> float:
        """Return the bandwidth in cycles a sample; NaN for a recording shorter than a frame."""
        if not self._power.any():
            return math.nan
        in_band = self._power >= self._power.max() * 10 ** (-_BANDWIDTH_DB / 10)
        return float(np.flatnonzero(in_band)[-1]) / _SPECTRUM_FRAME


class _NoiseMeter:
    """Keeps the mean power of each stretch."""

    def __init__(self, stretch_samples: int) -> None:
        self._framer = _Framer(stretch_samples)
        self._powers: list[NDArray[np.float64]] = []

    def feed(self, wave: NDArray[np.float64]) -> None:
        self._powers.append((self._framer.frames(wave) ** 2).mean(axis=1))

    def noise_db(self) -> float:
        """Return the noise floor; NaN if no stretch is both complete and not digital silence."""
        powers = np.concatenate(self._powers) if self._powers else np.zeros(0)
        powers = powers[powers > 0]
        return 10 * math.log10(float(np.quantile(powers, _NOISE_QUANTILE))) if len(powers) else math.nan

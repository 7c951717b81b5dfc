"""Fingerprints: how the spectrum of a recording changes, coarse enough to survive codecs, to find copies of it."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_RATE_HZ = 8_000
_WINDOW, _HOP = 512, 160
"""Samples of a frame and from one to the next: 64 and 20 ms."""
_SPAN = 4
"""Frames over which a change is taken."""
_N_BANDS = 8
_BAND_HZ = (300.0, 3000.0)
"""What every codec for speech keeps."""
_MAX_FRAMES = 3_000
"""Frames of a fingerprint: the first minute."""
_DB_PER_STEP, _LOWEST_DB = 0.5, -120.0
_DYNAMIC_DB = 40.0
"""Decibels below the loudest band and frame, beyond which levels count as equal: codecs change what is softer."""
_MIN_FRAMES = 50
"""Frames below which recordings are not compared: one second."""
_MAX_DIFFERENCE_S = 10.0
_MIN_OVERLAP = 0.7
"""Share of the longer fingerprint that copies must have in common."""
_MIN_ENERGY = 0.5
"""Share of the changes of either fingerprint that must lie where the two overlap."""
_MIN_CORRELATION = 0.88
_MAX_PAIRS = 200_000
"""Pairs of recordings that are compared at most; those of the most similar lengths."""


@dataclass(frozen=True)
class AudioCopy:
    """Two recordings that hold the same audio, up to codec, level, sampling rate, and some seconds at either end.

    Attributes
    ----------
    recording, other : str
    correlation : float
        Of the changes of the two spectra, over the first minute.
    offset_s : float
        What `other` has in excess at its start, in seconds.
    gain_db : float
        Level of `other` in decibels relative to that of `recording`.
    """

    recording: str
    other: str
    correlation: float
    offset_s: float
    gain_db: float


class FingerprintMeter:
    """Computes the fingerprint of a recording as its samples stream by.

    Parameters
    ----------
    rate_hz : int
        Sampling rate of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        same_rate = rate_hz == _RATE_HZ
        self._resampler = None if same_rate else soxr.ResampleStream(rate_hz, _RATE_HZ, 1, dtype="float64")
        self._rest = np.zeros(0)
        self._window = np.hanning(_WINDOW)
        edges = np.geomspace(*_BAND_HZ, _N_BANDS + 1)
        frequency = np.fft.rfftfreq(_WINDOW, 1 / _RATE_HZ)
        self._bands = ((frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])).astype(np.float64)
        self._levels: list[NDArray[np.uint8]] = []
        self._n_frames = 0

    def feed(self, wave: NDArray[np.float64]) -> None:
        """Take the next samples."""
        if self._n_frames >= _MAX_FRAMES:
            return
        resampled = wave if self._resampler is None else self._resampler.resample_chunk(wave)
        joined = np.concatenate((self._rest, resampled))
        n = max(0, (len(joined) - _WINDOW) // _HOP + 1)
        self._rest = joined[n * _HOP :]
        if n:
            frames = np.lib.stride_tricks.sliding_window_view(joined, _WINDOW)[::_HOP][:n]
            power = np.abs(np.fft.rfft(frames * self._window)) ** 2 @ self._bands
            level_db = 10 * np.log10(power / (self._window.sum() / 2) ** 2 + 10 ** (_LOWEST_DB / 10))
            steps = np.clip(np.round((level_db - _LOWEST_DB) / _DB_PER_STEP), 0, 255)
            self._levels.append(steps.astype(np.uint8))
            self._n_frames += n

    def fingerprint(self) -> str:
        """Return the fingerprint as text."""
        levels = np.concatenate(self._levels)[:_MAX_FRAMES] if self._levels else np.zeros((0, _N_BANDS), np.uint8)
        return base64.b64encode(levels.tobytes()).decode()


class _Levels:
    """A fingerprint as levels, and the spectra of their changes over time.

    Attributes
    ----------
    level_db : ndarray of float64, shape (frames, bands)
        Not below the loudest by more than `_DYNAMIC_DB`.
    change : ndarray of float64, shape (frames - _SPAN, bands)
    energy : ndarray of float64, shape (frames - _SPAN + 1,)
        Sum of the squared changes before each frame.
    """

    def __init__(self, fingerprint: str) -> None:
        steps = np.frombuffer(base64.b64decode(fingerprint), np.uint8).reshape(-1, _N_BANDS)
        level_db = steps * _DB_PER_STEP + _LOWEST_DB
        self.level_db = np.maximum(level_db, level_db.max(initial=_LOWEST_DB) - _DYNAMIC_DB)
        self.change = self.level_db[_SPAN:] - self.level_db[:-_SPAN]
        self.energy = np.concatenate(([0.0], np.cumsum((self.change**2).sum(axis=1))))
        self._spectra: dict[int, NDArray[np.complex64]] = {}

    def spectrum(self, n: int) -> NDArray[np.complex64]:
        """Return the spectrum of the changes over n points of time, shape (n / 2 + 1, bands)."""
        if n not in self._spectra:
            self._spectra[n] = np.fft.rfft(self.change, n, axis=0).astype(np.complex64)
        return self._spectra[n]


def find_audio_copies(fingerprints: Mapping[str, str], seconds: Mapping[str, float]) -> list[AudioCopy]:
    """Find recordings that hold the same audio, however they were encoded.

    Parameters
    ----------
    fingerprints : mapping of str to str
        By recording, as `FingerprintMeter` returns them.
    seconds : mapping of str to float
        Length of each recording.

    Returns
    -------
    list of AudioCopy
        Pairs in the order of `fingerprints`.

    Notes
    -----
    The fingerprint is the level in 8 bands from 300 to 3,000 Hz, every 20 ms, after Haitsma and Kalker (2002, A highly
    robust audio fingerprinting system, ISMIR): what counts is how levels change over time. Two recordings of one second
    or more whose lengths differ by no more than 10 s are copies if the changes correlate by 0.88 or more at some offset
    at which 70% of the longer fingerprint overlap. A fingerprint covers the first minute. How often this is wrong is in
    benchmarks/RESULTS.md.
    """
    long_enough = {
        recording: _Levels(text)
        for recording, text in fingerprints.items()
        if len(text) * 3 // 4 >= _MIN_FRAMES * _N_BANDS
    }
    levels = {recording: level for recording, level in long_enough.items() if level.energy[-1] > 0}
    order = {recording: number for number, recording in enumerate(levels)}
    copies = []
    for first, second in sorted(_candidates(levels, seconds), key=lambda pair: tuple(map(order.__getitem__, pair))):
        correlation, lag = _best_offset(levels[first], levels[second])
        if correlation >= _MIN_CORRELATION:
            gain_db = _gain_db(levels[first].level_db, levels[second].level_db, lag)
            copies.append(AudioCopy(first, second, correlation, -lag * _HOP / _RATE_HZ, gain_db))
    return copies


def _candidates(levels: Mapping[str, _Levels], seconds: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the pairs of recordings whose lengths are similar, those of the most similar lengths first."""

    def pairs() -> Iterator[tuple[float, str, str]]:
        ordered = sorted(levels, key=lambda recording: seconds[recording])
        for number, longer in enumerate(ordered):
            for shorter in reversed(ordered[:number]):
                difference_s = seconds[longer] - seconds[shorter]
                if difference_s > _MAX_DIFFERENCE_S or seconds[shorter] < _MIN_OVERLAP * seconds[longer]:
                    break
                yield difference_s, shorter, longer

    order = {recording: number for number, recording in enumerate(levels)}
    chosen = sorted(pairs())[:_MAX_PAIRS]
    return [(a, b) if order[a] < order[b] else (b, a) for _, a, b in chosen]


def _best_offset(a: _Levels, b: _Levels) -> tuple[float, int]:
    """Return the highest correlation of two fingerprints, and by how many frames `a` lags behind `b` there."""
    n_a, n_b = len(a.change), len(b.change)
    n = 1 << (n_a + n_b - 2).bit_length()
    products = np.fft.irfft((a.spectrum(n) * b.spectrum(n).conj()).sum(axis=1), n)
    lag = np.arange(1 - n_b, n_a)
    start_a, start_b = np.maximum(lag, 0), np.maximum(-lag, 0)
    overlap = np.minimum(n_a - start_a, n_b - start_b)
    energy_a = a.energy[start_a + overlap] - a.energy[start_a]
    energy_b = b.energy[start_b + overlap] - b.energy[start_b]
    valid = overlap >= _MIN_OVERLAP * max(n_a, n_b)
    valid &= (energy_a >= _MIN_ENERGY * a.energy[-1]) & (energy_b >= _MIN_ENERGY * b.energy[-1])
    if not valid.any():
        return math.nan, 0
    lag = lag[valid]
    correlation = products[lag] / np.sqrt(energy_a[valid] * energy_b[valid])
    best = int(correlation.argmax())
    return min(float(correlation[best]), 1.0), int(lag[best])


def _gain_db(a: NDArray[np.float64], b: NDArray[np.float64], lag: int) -> float:
    """Return by how much `b` is louder than `a`, where both are above their floor."""
    start_a, start_b = max(lag, 0), max(-lag, 0)
    n = min(len(a) - start_a, len(b) - start_b)
    a, b = a[start_a : start_a + n], b[start_b : start_b + n]
    loud = (a > a.min()) & (b > b.min())
    return float(np.median((b - a)[loud])) if loud.any() else math.nan

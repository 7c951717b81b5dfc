"""Voices: random syllables, spoken by a source–filter synthesizer.

References
----------
D. H. Klatt (1980), "Software for a cascade/parallel formant synthesizer", JASA 67: resonators, consonants, bandwidths.
G. E. Peterson and H. L. Barney (1952), "Control methods used in a study of the vowels", JASA 24: men's vowels.
A. E. Rosenberg (1971), "Effect of glottal pulse shape on the quality of natural vowels", JASA 49: the pulse.
A. Jongman, R. Wayland and S. Wong (2000), "Acoustic characteristics of English fricatives", JASA 108: noise peaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import compiled
from abxfast.synthetic_speech.filtering import RATE_HZ, filter_spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.synthetic_speech.filtering import Signal

HOP_SAMPLES = 80
"""Samples from one frame of a track to the next: 5 ms, as in Klatt (1980)."""
VOWELS_HZ = {
    "i": (270.0, 2290.0, 3010.0),
    "ɛ": (530.0, 1840.0, 2480.0),
    "æ": (660.0, 1720.0, 2410.0),
    "ɑ": (730.0, 1090.0, 2440.0),
    "ɔ": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
"""F1, F2 and F3 in Hz, means of men (Peterson and Barney 1952)."""
UPPER_HZ = (3300.0, 3750.0, 4900.0, 5900.0, 6900.0)
"""F4 to F6 in Hz (Klatt 1980), then one each kHz for the band that a 10 kHz synthesizer lacks."""
WIDTHS_HZ = (50.0, 70.0, 110.0, 250.0, 200.0, 1000.0, 1000.0, 1000.0)
"""Bandwidths in Hz of F1 to F8 (Klatt 1980; the last two as F6)."""

# Voicing, noise, its peak and width in Hz, F1 to F3 in Hz. Formants: Klatt (1980), but F1 of the nasals is his nasal
# pole, whose zero cancels F1. Peaks of f, s, ʃ: Jongman et al. (2000). The rest is ours: bursts are low, high and
# compact for p, t, k; noise is at −14, −8, −10 dB of a mid vowel's power in these, at −24, −14, −11 dB in f, s, ʃ.
_CONSONANTS = {
    "p": (0.0, 1.0, 900.0, 1500.0, 400.0, 1100.0, 2150.0),
    "t": (0.0, 0.15, 4500.0, 2500.0, 400.0, 1600.0, 2600.0),
    "k": (0.0, 0.3, 2000.0, 500.0, 300.0, 1990.0, 2850.0),
    "f": (0.0, 0.018, 7500.0, 6000.0, 340.0, 1100.0, 2080.0),
    "s": (0.0, 0.018, 6800.0, 1800.0, 320.0, 1390.0, 2530.0),
    "ʃ": (0.0, 0.11, 3800.0, 1200.0, 300.0, 1840.0, 2750.0),
    "m": (0.4, 0.0, 2000.0, 1000.0, 270.0, 1270.0, 2130.0),
    "n": (0.4, 0.0, 2000.0, 1000.0, 270.0, 1340.0, 2470.0),
    "l": (0.6, 0.0, 2000.0, 1000.0, 310.0, 1050.0, 2880.0),
}
_STOPS = "ptk"
_OPENING, _CLOSING = 0.40, 0.16
"""Shares of the period in which the glottis opens and closes: Rosenberg's (1971) preferred pulse."""
_JITTER, _SHIMMER, _BREATH = 0.01, 0.03, 0.01
"""Standard deviations: of a pulse's rate and peak relative to their means, of aspiration relative to a pulse's."""
_SILENCE = (0.0, 0.0, 0.0, 0.0, 2000.0, 1000.0, 500.0, 1500.0, 2500.0)
_MAX_FRICATION_HZ = 7500.0


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Women's formants lie about 1.17 times as high as men's (Peterson and Barney 1952), and their source falls off more
    steeply (Klatt and Klatt 1990, JASA 87).

    Attributes
    ----------
    name : str
    f0_hz : float
        Mean fundamental frequency.
    formant_factor : float
        Formants relative to `VOWELS_HZ`.
    tilt_db : float
        Loss of the glottal source at 3 kHz.
    """

    name: str
    f0_hz: float
    formant_factor: float
    tilt_db: float


LOW = Voice("low", f0_hz=110.0, formant_factor=1.0, tilt_db=3.0)
HIGH = Voice("high", f0_hz=220.0, formant_factor=1.2, tilt_db=12.0)
FRONT, BACK = "iɛæ", "uɔɑ"


def syllables(vowels: Sequence[str], seconds: float, rng: np.random.Generator) -> Signal:
    """Draw consonant–vowel syllables, about five a second, in phrases of five to nine with pauses between.

    Pitch falls by four semitones in a phrase, with a random accent on each syllable.

    Returns
    -------
    ndarray of float64, shape (frames, 9)
        Tracks, independent of the voice: semitones above the voice's f0; levels of voicing (a vowel's is 1), of
        aspiration and of frication; peak and width of the frication in Hz; F1 to F3 in Hz at a formant factor of 1.
    """
    n_frames = math.ceil(seconds * RATE_HZ / HOP_SAMPLES)
    segments: list[tuple[float, ...]] = [(20, *_SILENCE)]  # frames, then the tracks
    while sum(segment[0] for segment in segments) < n_frames:
        for declination in np.linspace(2, -2, rng.integers(5, 10)):
            consonant = rng.choice(list(_CONSONANTS))
            (voicing, noise), noise_hz, locus_hz = np.split(_CONSONANTS[consonant], (2, 4))
            vowel_hz = VOWELS_HZ[rng.choice(list(vowels))] * rng.normal(1, 0.03, 3)
            pitch, length = declination + rng.normal(0, 1), int(rng.integers(12, 23))
            if consonant in _STOPS:  # closure, burst, aspiration
                segments.append((length, pitch, 0, 0, 0, *noise_hz, *locus_hz))
                segments.append((2, pitch, 0, 0, noise, *noise_hz, *locus_hz))
                segments.append((6, pitch, 0, 0.05, 0, *noise_hz, *vowel_hz))
            else:
                segments.append((length, pitch, voicing, 0, noise, *noise_hz, *locus_hz))
            segments.append((int(rng.integers(22, 39)), pitch, 1, 0, 0, *noise_hz, *vowel_hz))
        segments.append((int(rng.integers(40, 91)), *_SILENCE))
    table = np.array(segments)
    tracks = np.repeat(table[:, 1:], table[:, 0].astype(int), axis=0)[:n_frames]
    # Articulators move smoothly: pitch within 150 ms, levels within 15, formants within 60.
    for columns, frames in ((slice(0, 1), 30), (slice(1, 4), 3), (slice(6, 9), 12)):
        window = np.hanning(frames + 2)
        tracks[:, columns] = np.apply_along_axis(np.convolve, 0, tracks[:, columns], window / window.sum(), "same")
    return tracks


def speak(voice: Voice, tracks: Signal, rng: np.random.Generator) -> Signal:
    """Synthesize speech: pulses and aspiration through cascaded formants, frication through a single resonance.

    Parameters
    ----------
    voice : Voice
    tracks : ndarray of float64, shape (frames, 9)
        As `syllables` returns them.
    rng : Generator
        Draws jitter, shimmer and noise.

    Returns
    -------
    ndarray of float64, shape (frames * HOP_SAMPLES,)
        The pressure near the lips, in arbitrary units.
    """
    samples = np.arange(len(tracks) * HOP_SAMPLES)
    semitones, voicing, breath, noise = (np.interp(samples, samples[::HOP_SAMPLES], track) for track in tracks[:, :4].T)
    f0_hz = voice.f0_hz * 2 ** (semitones / 12)
    draws = rng.standard_normal((2, int(2 * f0_hz.sum() / RATE_HZ) + 8)).clip(-3, 3)
    flow = _glottal_flow(f0_hz, 1 + _JITTER * draws[0], 1 + _SHIMMER * draws[1], RATE_HZ)
    # |H|² = 1 / (1 + (f / corner)²) is 1 / tilt at 3 kHz. Radiation differentiates.
    slope = (10 ** (voice.tilt_db / 10) - 1) / 3000**2
    pulses = filter_spectrum(np.diff(flow, prepend=0.0), lambda hz: 1 / np.sqrt(1 + slope * hz**2))
    source = pulses / np.abs(pulses).max() * voicing + rng.standard_normal(len(samples)) * (breath + _BREATH * voicing)
    frication = np.diff(rng.standard_normal(len(samples)), prepend=0.0) * noise
    formants_hz = np.column_stack([tracks[:, 6:], np.tile(UPPER_HZ, (len(tracks), 1))]) * voice.formant_factor
    formants_hz = formants_hz[:, formants_hz.max(axis=0) < RATE_HZ / 2]
    frication_hz = np.minimum(tracks[:, 4:5] * voice.formant_factor, _MAX_FRICATION_HZ)
    widths_hz = np.tile(WIDTHS_HZ[: formants_hz.shape[1]], (len(tracks), 1))
    speech: Signal = _resonate(source, formants_hz, widths_hz, RATE_HZ)
    speech += _resonate(frication, frication_hz, tracks[:, 5:6], RATE_HZ)
    return speech


# Compiled, as each sample depends on those before it. Constants of other modules are arguments: numba's cache does not
# notice when these change.
@compiled
def _glottal_flow(f0_hz: Signal, jitter: Signal, shimmer: Signal, rate_hz: int) -> Signal:
    """Return the glottal flow of Rosenberg (1971), pulse C: half a cosine up, a quarter of one down, then closed.

    `f0_hz` has a value for each sample, `jitter` and `shimmer` (factors of rate and peak) one for each pulse.
    """
    flow = np.zeros(len(f0_hz))
    phase, period = 0.0, 0
    for i in range(len(f0_hz)):
        if phase < _OPENING:
            flow[i] = shimmer[period] * 0.5 * (1 - np.cos(np.pi * phase / _OPENING))
        elif phase < _OPENING + _CLOSING:
            flow[i] = shimmer[period] * np.cos(np.pi / 2 * (phase - _OPENING) / _CLOSING)
        phase += f0_hz[i] * jitter[period] / rate_hz
        if phase >= 1:
            phase, period = phase - 1, period + 1
    return flow


@compiled
def _resonate(signal: Signal, hz: Signal, width_hz: Signal, rate_hz: int) -> Signal:
    """Filter a signal by resonators in cascade (Klatt 1980, eqs. 1–3).

    `hz` and `width_hz`, shape (frames, resonators), apply to `HOP_SAMPLES` samples a frame.
    """
    filtered = signal.copy()
    for k in range(hz.shape[1]):
        one_back, two_back = 0.0, 0.0
        for frame in range(hz.shape[0]):
            c = -np.exp(-2 * np.pi * width_hz[frame, k] / rate_hz)
            b = 2 * np.exp(-np.pi * width_hz[frame, k] / rate_hz) * np.cos(2 * np.pi * hz[frame, k] / rate_hz)
            for i in range(frame * HOP_SAMPLES, (frame + 1) * HOP_SAMPLES):
                one_back, two_back = (1 - b - c) * filtered[i] + b * one_back + c * two_back, one_back
                filtered[i] = one_back
    return filtered

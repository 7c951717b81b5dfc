"""Controlled stimuli with known answers: a source–filter voice that speaks random syllables in synthetic rooms.

Three contrasts, with two recordings a condition: two rooms with one voice, two voices in one room, two sets of vowels
of one voice in one room. Whatever a contrast does not name is the same in both conditions, or is drawn anew for every
recording from one distribution, so that two recordings of one condition differ by chance alone.

References
----------
D. H. Klatt (1980), "Software for a cascade/parallel formant synthesizer", JASA 67: resonators, consonants, bandwidths.
G. E. Peterson and H. L. Barney (1952), "Control methods used in a study of the vowels", JASA 24: men's vowels.
A. E. Rosenberg (1971), "Effect of glottal pulse shape on the quality of natural vowels", JASA 49: the pulse.
A. Jongman, R. Wayland and S. Wong (2000), "Acoustic characteristics of English fricatives", JASA 108: noise peaks.
"""

from __future__ import annotations

import csv
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.audio import write_wav
from abxfast.errors import TaskError
from abxfast.kernels import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Signal = NDArray[np.float64]

RATE_HZ = 16_000
HOP = 80
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
_OPENING, _CLOSING = 0.40, 0.16
"""Shares of the period in which the glottis opens and closes: Rosenberg's (1971) preferred pulse."""
_JITTER, _SHIMMER, _BREATH = 0.01, 0.03, 0.01
"""Standard deviations: of a pulse's rate and peak relative to their means, of aspiration relative to a pulse's."""
_SILENCE = (0.0, 0.0, 0.0, 0.0, 2000.0, 1000.0, 500.0, 1500.0, 2500.0)


@dataclass(frozen=True)
class Voice:
    """Who speaks: mean fundamental frequency, formants relative to `VOWELS_HZ`, loss of the glottal source at 3 kHz.

    Women's formants lie about 1.17 times as high as men's (Peterson and Barney 1952), and their source falls off more
    steeply (Klatt and Klatt 1990, JASA 87).
    """

    name: str
    f0_hz: float
    formant_factor: float
    tilt_db: float


@dataclass(frozen=True)
class Room:
    """Where a voice is recorded, and with what.

    Reverberation: the time in which it falls by 60 dB, the energy of the direct sound over its own, the slope of its
    spectrum (dB an octave). Microphone: where it has lost 3 dB, the power of its noise over that of the speech.
    """

    name: str
    rt60_s: float
    direct_db: float
    tilt_db: float
    band_hz: tuple[float, float]
    noise_db: float


LOW = Voice("low", f0_hz=110.0, formant_factor=1.0, tilt_db=3.0)
HIGH = Voice("high", f0_hz=220.0, formant_factor=1.2, tilt_db=12.0)
STUDIO = Room("studio", rt60_s=0.2, direct_db=15.0, tilt_db=-1.0, band_hz=(60.0, 7500.0), noise_db=-50.0)
HALL = Room("hall", rt60_s=2.0, direct_db=-3.0, tilt_db=-3.0, band_hz=(150.0, 4000.0), noise_db=-30.0)
FRONT, BACK = "iɛæ", "uɔɑ"
DESIGN = (
    ("room", "studio", LOW, STUDIO, FRONT + BACK),
    ("room", "hall", LOW, HALL, FRONT + BACK),
    ("voice", "low", LOW, STUDIO, FRONT + BACK),
    ("voice", "high", HIGH, STUDIO, FRONT + BACK),
    ("vowels", "front", LOW, STUDIO, FRONT),
    ("vowels", "back", LOW, STUDIO, BACK),
)
"""Experiment, condition, voice, room and vowels: two rows an experiment."""


def write_corpus(folder: Path, *, seed: int = 0, seconds: float = 60.0) -> Path:
    """Write the recordings of `DESIGN` and the table of them; the same seed gives the same bytes.

    Parameters
    ----------
    folder : Path
        Made if it is not there; what an earlier run wrote is overwritten.
    seed : int
        Not negative.
    seconds : float
        Length of each recording, at least 1 s.

    Returns
    -------
    Path
        ``recordings.csv``: ``path``, ``experiment``, ``condition``, ``take``, ``voice``, ``room``, ``vowels`` (in IPA)
        and ``level_db`` (RMS re full scale). Beside it ``recordings/``: 16 kHz, 16 bit, mono.

    Raises
    ------
    TaskError
        Where `seed` or `seconds` is too small.
    """
    if seed < 0 or not 1 <= seconds < float("inf"):
        raise TaskError(f"seed {seed}, {seconds} s: the seed must not be negative, nor a recording shorter than 1 s")
    (folder / "recordings").mkdir(parents=True, exist_ok=True)
    responses = {room: impulse_response(room, _rng(seed, 0, i)) for i, room in enumerate((STUDIO, HALL))}

    def write(number: int, take: int) -> tuple[object, ...]:
        experiment, condition, voice, room, vowels = DESIGN[number]
        # Both conditions of an experiment have the same two levels: they cannot give the answer away.
        level_db = round(_rng(seed, 1, number // 2, take).uniform(-32, -26), 1)
        rng = _rng(seed, 2, number, take)
        speech = speak(voice, syllables(vowels, seconds, rng), rng)[: round(seconds * RATE_HZ)]
        wave = record(speech, room, responses[room], rng)
        wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))
        path = f"recordings/{experiment}-{condition}-{take}.wav"
        samples = np.rint(wave * 32_767).clip(-32_768, 32_767).astype(np.int16)
        write_wav(folder / path, samples, RATE_HZ)
        return path, experiment, condition, take, voice.name, room.name, " ".join(vowels), level_db

    with ThreadPoolExecutor(max_workers=4) as pool:
        rows = list(pool.map(write, sorted([*range(len(DESIGN))] * 2), [1, 2] * len(DESIGN)))
    manifest = folder / "recordings.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("path", "experiment", "condition", "take", "voice", "room", "vowels", "level_db"))
        table.writerows(rows)
    return manifest


def syllables(vowels: Sequence[str], seconds: float, rng: np.random.Generator) -> Signal:
    """Draw consonant–vowel syllables, about five a second, in phrases of five to nine with pauses between.

    Pitch falls by four semitones in a phrase, with an accent of its own on each syllable.

    Returns
    -------
    ndarray of float64, shape (frames, 9)
        Tracks: what is said, whoever says it. Semitones above the voice's f0; levels of voicing (a vowel's is 1), of
        aspiration and of frication; peak and width of the frication in Hz; F1 to F3 in Hz at a formant factor of 1.
    """
    n_frames = math.ceil(seconds * RATE_HZ / HOP)
    rows: list[tuple[float, ...]] = [(20, *_SILENCE)]  # frames, then the tracks
    while sum(row[0] for row in rows) < n_frames:
        for declination in np.linspace(2, -2, rng.integers(5, 10)):
            consonant = rng.choice(list(_CONSONANTS))
            (voicing, noise), colour_hz, locus_hz = np.split(_CONSONANTS[consonant], (2, 4))
            vowel_hz = VOWELS_HZ[rng.choice(list(vowels))] * rng.normal(1, 0.03, 3)
            pitch, length = declination + rng.normal(0, 1), int(rng.integers(12, 23))
            if consonant in "ptk":
                rows.append((length, pitch, 0, 0, 0, *colour_hz, *locus_hz))
                rows.append((2, pitch, 0, 0, noise, *colour_hz, *locus_hz))
                rows.append((6, pitch, 0, 0.05, 0, *colour_hz, *vowel_hz))
            else:
                rows.append((length, pitch, voicing, 0, noise, *colour_hz, *locus_hz))
            rows.append((int(rng.integers(22, 39)), pitch, 1, 0, 0, *colour_hz, *vowel_hz))
        rows.append((int(rng.integers(40, 91)), *_SILENCE))
    table = np.array(rows)
    held = np.repeat(table[:, 1:], table[:, 0].astype(int), axis=0)[:n_frames]
    # What articulators move is smooth: pitch in 150 ms, levels in 15, formants in 60.
    for columns, frames in ((slice(0, 1), 30), (slice(1, 4), 3), (slice(6, 9), 12)):
        window = np.hanning(frames + 2)
        held[:, columns] = np.apply_along_axis(np.convolve, 0, held[:, columns], window / window.sum(), "same")
    return held


def speak(voice: Voice, tracks: Signal, rng: np.random.Generator) -> Signal:
    """Let a voice say it: pulses and aspiration through formants in cascade, frication through a resonance of its own.

    `tracks` are those of `syllables`. Returns float64 ``(frames * HOP,)``: the pressure near the lips, in no unit.
    """
    at = np.arange(len(tracks) * HOP)
    semitones, voicing, breath, noise = (np.interp(at, at[::HOP], track) for track in tracks[:, :4].T)
    f0_hz = voice.f0_hz * 2 ** (semitones / 12)
    draws = rng.standard_normal((2, int(2 * f0_hz.sum() / RATE_HZ) + 8)).clip(-3, 3)
    flow = _flow(f0_hz, 1 + _JITTER * draws[0], 1 + _SHIMMER * draws[1])
    # |H|² = 1 / (1 + (f / corner)²) is 1 / tilt at 3 kHz. Radiation differentiates.
    slope = (10 ** (voice.tilt_db / 10) - 1) / 3000**2
    pulses = _filtered(np.diff(flow, prepend=0.0), lambda hz: 1 / np.sqrt(1 + slope * hz**2))
    source = pulses / np.abs(pulses).max() * voicing + rng.standard_normal(len(at)) * (breath + _BREATH * voicing)
    hiss = np.diff(rng.standard_normal(len(at)), prepend=0.0) * noise
    formants_hz = np.column_stack([tracks[:, 6:], np.tile(UPPER_HZ, (len(tracks), 1))]) * voice.formant_factor
    formants_hz = formants_hz[:, formants_hz.max(axis=0) < RATE_HZ / 2]
    hiss_hz = np.minimum(tracks[:, 4:5] * voice.formant_factor, 7500)
    widths_hz = np.tile(WIDTHS_HZ[: formants_hz.shape[1]], (len(tracks), 1))
    speech: Signal = _resonated(source, formants_hz, widths_hz) + _resonated(hiss, hiss_hz, tracks[:, 5:6])
    return speech


def impulse_response(room: Room, rng: np.random.Generator) -> Signal:
    """Give the sound of a click: the direct sound, then from 5 ms on Gaussian noise that decays exponentially.

    Returns
    -------
    ndarray of float64, shape (round(1.2 * rt60_s * RATE_HZ),)
        Its first value is the direct sound, 1; the energy of the rest is ``-direct_db``.
    """
    n = round(1.2 * room.rt60_s * RATE_HZ)
    power = room.tilt_db / (20 * math.log10(2))
    tail = _filtered(rng.standard_normal(n), lambda hz: (np.maximum(hz, 50) / 1000) ** power)
    tail *= 10 ** (-3 * np.arange(n) / (room.rt60_s * RATE_HZ))
    tail[: RATE_HZ // 200] = 0
    tail *= np.sqrt(10 ** (-room.direct_db / 10) / np.sum(tail**2))
    tail[0] = 1
    return tail


def record(speech: Signal, room: Room, response: Signal, rng: np.random.Generator) -> Signal:
    """Put speech in a room before a microphone: reverberation, then noise, then the band (Butterworth, order 4)."""
    n = 1 << (len(speech) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(speech, n) * np.fft.rfft(response, n), n)[: len(speech)]
    wet += rng.standard_normal(len(wet)) * np.sqrt(np.mean(wet**2) * 10 ** (room.noise_db / 10))
    low, high = room.band_hz
    return _filtered(wet, lambda hz: (hz / low) ** 4 / np.sqrt((1 + (hz / low) ** 8) * (1 + (hz / high) ** 8)))


def _rng(*key: int) -> np.random.Generator:
    """Give the stream of a seed and what is drawn with it, whatever else is drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key[0], spawn_key=key[1:])))


def _filtered(signal: Signal, gain: Callable[[Signal], Signal]) -> Signal:
    """Weight the spectrum by `gain`, a function of the frequency in Hz; no phase shift."""
    spectrum = np.fft.rfft(signal)
    hz = np.linspace(0, (len(spectrum) - 1) * RATE_HZ / len(signal), len(spectrum))
    return np.fft.irfft(spectrum * gain(hz), len(signal))


# Samples depend on those before them, which numpy has no loop for.
@compiled
def _flow(hz: Signal, jitter: Signal, shimmer: Signal) -> Signal:
    """Give the glottal flow of Rosenberg (1971), pulse C: half a cosine up, a quarter of one down, then closed."""
    flow = np.zeros(len(hz))
    phase, period = 0.0, 0
    for i in range(len(hz)):
        if phase < _OPENING:
            flow[i] = shimmer[period] * 0.5 * (1 - np.cos(np.pi * phase / _OPENING))
        elif phase < _OPENING + _CLOSING:
            flow[i] = shimmer[period] * np.cos(np.pi / 2 * (phase - _OPENING) / _CLOSING)
        phase += hz[i] * jitter[period] / RATE_HZ
        if phase >= 1:
            phase, period = phase - 1, period + 1
    return flow


@compiled
def _resonated(signal: Signal, hz: Signal, width_hz: Signal) -> Signal:
    """Pass a signal through resonators (Klatt 1980, eqs. 1–3), one a column, whose values change every `HOP`."""
    out = signal.copy()
    for k in range(hz.shape[1]):
        one_back, two_back = 0.0, 0.0
        for frame in range(hz.shape[0]):
            c = -np.exp(-2 * np.pi * width_hz[frame, k] / RATE_HZ)
            b = 2 * np.exp(-np.pi * width_hz[frame, k] / RATE_HZ) * np.cos(2 * np.pi * hz[frame, k] / RATE_HZ)
            for i in range(frame * HOP, (frame + 1) * HOP):
                one_back, two_back = (1 - b - c) * out[i] + b * one_back + c * two_back, one_back
                out[i] = one_back
    return out

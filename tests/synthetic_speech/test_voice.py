"""Voices have the pitch, formants, frication and tilt that they are set to, measured on the sound by other means."""

from dataclasses import replace

import numpy as np
import pytest

from abxfast.synthetic_speech import BACK, FRONT, HIGH, HOP_SAMPLES, LOW, RATE_HZ, VOWELS_HZ, Voice, speak, syllables


def rng(seed=0):
    return np.random.default_rng(seed)


def held_vowel(vowel, seconds=2.0, *, whispered=False):
    """Return the tracks of one vowel at the pitch of the voice."""
    row = (0.0, 0.0 if whispered else 1.0, float(whispered), 0.0, 2000.0, 1000.0, *VOWELS_HZ[vowel])
    return np.tile(row, (round(seconds * RATE_HZ / HOP_SAMPLES), 1))


def f0_hz(wave):
    """Return the pitch from the highest peak of the autocorrelation between 60 and 400 Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 2 * len(wave))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(wave)] / np.fft.irfft(spectrum)[0]
    lags = np.arange(RATE_HZ // 400, RATE_HZ // 60)
    # The window attenuates longer lags: of two periods, the first has the higher peak.
    return RATE_HZ / lags[correlation[lags].argmax()]


@pytest.mark.parametrize("vowel", VOWELS_HZ)
@pytest.mark.parametrize("voice", [LOW, HIGH, replace(LOW, f0_hz=150.0)], ids=lambda voice: f"{voice.f0_hz:g} Hz")
def test_f0_of_a_held_vowel(voice, vowel):
    wave = speak(voice, held_vowel(vowel, 0.5), rng())
    measured_hz = np.median([f0_hz(frame) for frame in wave[800:7200].reshape(-1, 800)])
    assert measured_hz == pytest.approx(voice.f0_hz, rel=0.02)


@pytest.mark.parametrize("voice", [LOW, HIGH], ids=lambda voice: voice.name)
def test_f0_of_speech(voice):
    wave = speak(voice, syllables(FRONT + BACK, 30, rng()), rng(1))
    frames = wave.reshape(-1, 800)
    power = np.mean(frames**2, axis=1)
    octaves = np.log2([f0_hz(frame) for frame in frames[power > np.median(power)]])
    assert 2 ** np.median(octaves) == pytest.approx(voice.f0_hz, rel=0.05)
    assert 0.08 < np.percentile(octaves, 84) - np.median(octaves) < 0.25, "in octaves: neither monotonous nor wild"


def formants_hz(wave, order, emphasis):
    """Return the frequencies of poles narrower than 500 Hz of a linear prediction (autocorrelation method)."""
    wave = np.append(wave[0], wave[1:] - emphasis * wave[:-1]) * np.hanning(len(wave))
    r = np.fft.irfft(np.abs(np.fft.rfft(wave, 2 * len(wave))) ** 2)[: order + 1]
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    poles = np.roots(np.append(1, -np.linalg.solve(r[lags], r[1:])))
    poles = poles[(poles.imag > 0) & (-np.log(np.abs(poles)) * RATE_HZ / np.pi < 500)]
    return np.sort(np.angle(poles)) * RATE_HZ / (2 * np.pi)


@pytest.mark.parametrize("vowel", VOWELS_HZ)
@pytest.mark.parametrize("factor", [1.0, 1.2])
@pytest.mark.parametrize("whispered", [True, False], ids=["whispered", "voiced"])
def test_formants_of_a_held_vowel(vowel, factor, whispered):
    voice = Voice("tested", f0_hz=80.0, formant_factor=factor, tilt_db=0.0)
    wave = speak(voice, held_vowel(vowel, whispered=whispered), rng())
    # The source of a whisper is white. That of a voice falls, and samples the formants at its harmonics only.
    measured_hz = formants_hz(wave, 16, 0) if whispered else formants_hz(wave, 18, 0.9)
    tolerance_hz = 0 if whispered else voice.f0_hz / 2
    expected_hz = np.multiply(VOWELS_HZ[vowel], factor)
    assert np.all(np.abs(measured_hz[:3] - expected_hz) <= 0.02 * expected_hz + tolerance_hz)


@pytest.mark.parametrize("peak_hz", [3800.0, 5500.0])
@pytest.mark.parametrize("factor", [1.0, 1.2])
def test_peak_of_frication(peak_hz, factor):
    tracks = np.tile((0.0, 0.0, 0.0, 0.1, peak_hz, 200.0, *VOWELS_HZ["i"]), (400, 1))
    wave = speak(replace(LOW, formant_factor=factor), tracks, rng())
    power = np.mean(np.abs(np.fft.rfft(wave.reshape(-1, 320))) ** 2, axis=0)
    assert power.argmax() * 50 == pytest.approx(peak_hz * factor, abs=100)


def test_tilt_of_the_source():
    plain, tilted = (
        np.abs(np.fft.rfft(speak(replace(LOW, tilt_db=tilt), held_vowel("ɛ"), rng()))) ** 2 for tilt in (0.0, 12.0)
    )
    hz = np.linspace(0, RATE_HZ / 2, len(plain))
    loss = [
        10 * np.log10(tilted[band].sum() / plain[band].sum())
        for band in ((hz > 200) & (hz < 500), (hz > 2700) & (hz < 3300))
    ]
    assert loss[1] - loss[0] == pytest.approx(-12, abs=3)

"""Rooms have the reverberation, band and noise that they are set to, measured on the sound by other means."""

from dataclasses import replace

import numpy as np
import pytest

from abxfast.synthetic_speech import HALL, RATE_HZ, STUDIO, Room, impulse_response, record

OPEN_AIR = Room("open air", 0.1, direct_db=100.0, tilt_db=0.0, band_hz=(1e-3, 1e6), noise_db=-300.0)
"""Without audible reverberation, band limits or noise."""


def rng(seed=0):
    return np.random.default_rng(seed)


def decay_s(response):
    """Return the RT60 from a line through Schroeder's backward integral between −5 and −35 dB relative to 5 ms."""
    energy = np.cumsum(response[::-1] ** 2)[::-1][RATE_HZ // 200 :]
    level = 10 * np.log10(energy / energy[0])
    first, last = np.argmax(level < -5), np.argmax(level < -35)
    return -60 / np.polyfit(np.arange(first, last) / RATE_HZ, level[first:last], 1)[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("room", [STUDIO, HALL, replace(HALL, rt60_s=0.6)], ids=lambda room: f"{room.rt60_s:g} s")
def test_reverberation_decays_in_rt60(room, seed):
    response = impulse_response(room, rng(seed))
    assert decay_s(response) == pytest.approx(room.rt60_s, rel=0.2)
    # The same for a click that is recorded there with a perfect microphone.
    click = np.zeros(3 * RATE_HZ)
    click[0] = 1
    recorded = record(click, replace(OPEN_AIR, rt60_s=room.rt60_s), response, rng())
    # (It does not record constant pressure, of which the silence at the end shows what a click leaves.)
    assert decay_s((recorded - recorded[-1])[: len(response)]) == pytest.approx(room.rt60_s, rel=0.2)


@pytest.mark.parametrize("room", [STUDIO, HALL], ids=lambda room: room.name)
def test_direct_sound_and_slope_of_the_reverberation(room):
    response = impulse_response(room, rng())
    assert np.all(response[1 : RATE_HZ // 200] == 0)
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(room.direct_db, abs=0.01)
    power = np.abs(np.fft.rfft(response[1:])) ** 2
    hz = np.linspace(0, RATE_HZ / 2, len(power))
    low, high = (power[(hz > centre / 1.4) & (hz < centre * 1.4)].mean() for centre in (500, 4000))
    assert 10 * np.log10(high / low) / 3 == pytest.approx(room.tilt_db, abs=0.5)


@pytest.mark.parametrize("room", [STUDIO, HALL], ids=lambda room: room.name)
def test_band_and_noise_of_the_microphone(room):
    white = rng().standard_normal(60 * RATE_HZ)
    recorded = record(white, replace(room, noise_db=-300.0), np.ones(1), rng(1))
    gain = np.abs(np.fft.rfft(recorded)) / np.abs(np.fft.rfft(white))
    hz = np.linspace(0, RATE_HZ / 2, len(gain))
    low, high = room.band_hz
    outside_db = -10 * np.log10(1 + 1.5**8)
    for frequency, expected in (
        (low / 1.5, outside_db),
        (low, -3.01),
        (1000, 0),
        (high, -3.01),
        (high * 1.5, outside_db),
    ):
        if frequency < RATE_HZ / 2:
            assert 20 * np.log10(gain[np.argmin(np.abs(hz - frequency))]) == pytest.approx(expected, abs=0.1)

    half = np.where(np.arange(len(white)) < len(white) // 2, white, 0)
    noisy = record(half, replace(OPEN_AIR, noise_db=room.noise_db), np.ones(1), rng(1))
    floor = np.var(noisy[len(white) // 2 :]) / np.mean(half**2)
    assert 10 * np.log10(floor) == pytest.approx(room.noise_db, abs=0.1)

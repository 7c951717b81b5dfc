"""Rooms: reverberation, and a microphone with its band and its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.synthetic_speech.filtering import RATE_HZ, filter_spectrum

if TYPE_CHECKING:
    from abxfast.synthetic_speech.filtering import Signal

_FIRST_REFLECTION = RATE_HZ // 200
"""Samples from the direct sound to the first reflection: 5 ms."""


@dataclass(frozen=True)
class Room:
    """A room and the microphone in it.

    Attributes
    ----------
    name : str
    rt60_s : float
        Time in which the reverberation decays by 60 dB.
    direct_db : float
        Energy of the direct sound over that of the reverberation.
    tilt_db : float
        Slope of the spectrum of the reverberation, in dB an octave.
    band_hz : tuple of float
        Frequencies at which the microphone has lost 3 dB.
    noise_db : float
        Power of the microphone's noise over that of the speech.
    """

    name: str
    rt60_s: float
    direct_db: float
    tilt_db: float
    band_hz: tuple[float, float]
    noise_db: float


STUDIO = Room("studio", rt60_s=0.2, direct_db=15.0, tilt_db=-1.0, band_hz=(60.0, 7500.0), noise_db=-50.0)
HALL = Room("hall", rt60_s=2.0, direct_db=-3.0, tilt_db=-3.0, band_hz=(150.0, 4000.0), noise_db=-30.0)


def impulse_response(room: Room, rng: np.random.Generator) -> Signal:
    """Draw the response to a click: the direct sound, then from 5 ms on Gaussian noise that decays exponentially.

    Returns
    -------
    ndarray of float64, shape (round(1.2 * rt60_s * RATE_HZ),)
        Its first value is the direct sound, 1; the energy of the rest is ``-direct_db``.
    """
    n = round(1.2 * room.rt60_s * RATE_HZ)
    power = room.tilt_db / (20 * math.log10(2))
    response = filter_spectrum(rng.standard_normal(n), lambda hz: (np.maximum(hz, 50) / 1000) ** power)
    response *= 10 ** (-3 * np.arange(n) / (room.rt60_s * RATE_HZ))
    response[:_FIRST_REFLECTION] = 0
    response *= np.sqrt(10 ** (-room.direct_db / 10) / np.sum(response**2))
    response[0] = 1
    return response


def record(speech: Signal, room: Room, response: Signal, rng: np.random.Generator) -> Signal:
    """Record speech in a room: add reverberation, then noise, then limit the band (Butterworth, order 4).

    Parameters
    ----------
    speech : ndarray of float64, shape (n,)
    room : Room
    response : ndarray of float64, shape (m,)
        An impulse response of the room.
    rng : Generator
        Draws the noise.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    n = 1 << (len(speech) + len(response) - 2).bit_length()
    wave = np.fft.irfft(np.fft.rfft(speech, n) * np.fft.rfft(response, n), n)[: len(speech)]
    wave += rng.standard_normal(len(wave)) * np.sqrt(np.mean(wave**2) * 10 ** (room.noise_db / 10))
    low, high = room.band_hz
    return filter_spectrum(wave, lambda hz: (hz / low) ** 4 / np.sqrt((1 + (hz / low) ** 8) * (1 + (hz / high) ** 8)))

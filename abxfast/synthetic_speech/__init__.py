"""Synthetic speech: a small corpus with known answers, of a voice that speaks random syllables in simulated rooms.

``abxfast demo`` scores it, and an exported encoder is calibrated on it unless recordings are given.
"""

from abxfast.synthetic_speech.corpus import DESIGN, write_corpus
from abxfast.synthetic_speech.filtering import RATE_HZ
from abxfast.synthetic_speech.room import HALL, STUDIO, Room, impulse_response, record
from abxfast.synthetic_speech.voice import BACK, FRONT, HIGH, HOP_SAMPLES, LOW, VOWELS_HZ, Voice, speak, syllables

__all__ = [
    "BACK",
    "DESIGN",
    "FRONT",
    "HALL",
    "HIGH",
    "HOP_SAMPLES",
    "LOW",
    "RATE_HZ",
    "STUDIO",
    "VOWELS_HZ",
    "Room",
    "Voice",
    "impulse_response",
    "record",
    "speak",
    "syllables",
    "write_corpus",
]

"""Controlled stimuli with known answers: a source-filter voice that speaks random syllables in synthetic rooms.

They are what ``abxfast demo`` scores, and what an exported encoder is calibrated on unless recordings are given.
"""

from abxfast.stimuli.corpus import write_corpus

__all__ = [
    "write_corpus",
]

"""Embedding: from audio files to vectors in a store.

Decoding, resampling and inference run at the same time in bounded memory. What the store already holds is skipped, and
a recording that fails is named while the others go on.
"""

from abxfast.embedding.decoder import Progress
from abxfast.embedding.pipeline import EmbedReport, embed

__all__ = [
    "EmbedReport",
    "Progress",
    "embed",
]

"""Embedding: from audio files to vectors in a store.

Decoding, resampling and inference run at the same time in bounded memory. What the store already holds is skipped, and
a recording that fails is reported while the others go on.
"""

from abxfast.embedding.pipeline import embed
from abxfast.embedding.progress import Progress, format_clock, progress_bar
from abxfast.embedding.report import EmbedReport

__all__ = [
    "EmbedReport",
    "Progress",
    "embed",
    "format_clock",
    "progress_bar",
]

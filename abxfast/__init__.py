"""Measures how close recordings are, and along which dimension.

Recordings in, one vector per snippet out of an ONNX speech encoder, and from those the ABX score of every pair of
recordings, or of any metadata condition: exact, offline, fast.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from abxfast._version import __version__

if TYPE_CHECKING:
    from abxfast.embedding.pipeline import EmbedReport, embed
    from abxfast.errors import AbxfastError
    from abxfast.scoring.score import AbxScores, score_embeddings, score_store

# Before pyarrow is imported, which reads this once: its own pool keeps what was freed, so that the memory of an
# embedding grew with the length of a recording (1 s and 10 s snippets, three hours: 166 MB; ten minutes: 140 MB).
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

__all__ = ["AbxScores", "AbxfastError", "EmbedReport", "__version__", "embed", "score_embeddings", "score_store"]

_HOMES = {
    "AbxScores": "abxfast.scoring",
    "AbxfastError": "abxfast.errors",
    "EmbedReport": "abxfast.embedding",
    "embed": "abxfast.embedding",
    "score_embeddings": "abxfast.scoring",
    "score_store": "abxfast.scoring",
}


def __getattr__(name: str) -> object:
    """Import what is asked for and no more: ``abxfast --help`` needs neither numba nor pyarrow."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'abxfast' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)

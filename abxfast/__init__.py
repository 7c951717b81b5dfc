"""Measures how close recordings are, and along which dimension.

Recordings in, one vector per snippet out of an ONNX speech encoder, and from those the ABX score of every pair of
recordings, or of any metadata condition: exact, offline, fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from abxfast._version import __version__

if TYPE_CHECKING:
    from abxfast.embedding import EmbedReport, embed
    from abxfast.errors import AbxfastError
    from abxfast.manifest import Manifest
    from abxfast.results import Results, read_results
    from abxfast.scoring import AbxScores, Task, score_embeddings, score_store
    from abxfast.study import RunReport, StudyPlan, plan_study, run_study

__all__ = [
    "AbxScores",
    "AbxfastError",
    "EmbedReport",
    "Manifest",
    "Results",
    "RunReport",
    "StudyPlan",
    "Task",
    "__version__",
    "embed",
    "plan_study",
    "read_results",
    "run_study",
    "score_embeddings",
    "score_store",
]

# Lazy: ``abxfast --help`` needs neither numba nor pyarrow.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "embedding": ["EmbedReport", "embed"],
        "errors": ["AbxfastError"],
        "manifest": ["Manifest"],
        "results": ["Results", "read_results"],
        "scoring": ["AbxScores", "Task", "score_embeddings", "score_store"],
        "study": ["RunReport", "StudyPlan", "plan_study", "run_study"],
    },
)

"""Measure how close speech recordings are, and along which dimension.

A speech encoder (an ONNX file) turns each snippet of a recording into a vector. The ABX score of two recordings, or of
any two conditions in their metadata, is the share of triplets in which a snippet X is closer to a snippet A of its own
condition than to a snippet B of the other: 0.5 is chance, 1 is perfect discrimination. Scores are exact, computed
offline, and come with confidence intervals and permutation tests.

Main entry points
-----------------
embed
    Turn recordings into a store of snippet vectors.
score_store, score_embeddings
    Compute the ABX scores (`AbxScores`) of a `Task`, from a store or from NumPy arrays.
nearest_recordings
    Find the recordings of a store that are closest to one of them.
plan_study, run_study
    Check and estimate a study, which a TOML file describes; carry it out, from recordings to figures and a page.
read_results
    Read the result tables of a study (`Results`).
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
    from abxfast.scoring import AbxScores, Task, nearest_recordings, score_embeddings, score_store
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
    "nearest_recordings",
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
        "scoring": ["AbxScores", "Task", "nearest_recordings", "score_embeddings", "score_store"],
        "study": ["RunReport", "StudyPlan", "plan_study", "run_study"],
    },
)

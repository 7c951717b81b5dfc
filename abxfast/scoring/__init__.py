"""Scoring: from vectors to ABX scores.

A task says which label A and X share and B lacks (ON), which all three share (BY) and in which X differs from A and B
(ACROSS). Scores are exact counts over all triplets of arrays (`score_embeddings`) or of a store (`score_store`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from abxfast.scoring.cells import TaskCells, make_cells
    from abxfast.scoring.embeddings import check_embeddings, make_score_table, prepare_counting, score_embeddings
    from abxfast.scoring.labels import encode_label, label_names
    from abxfast.scoring.nearest import nearest_recordings
    from abxfast.scoring.output import check_output, format_scores_csv, format_scores_json, write_scores
    from abxfast.scoring.scores import AbxScores
    from abxfast.scoring.standardisation import (
        STANDARDISATIONS,
        Dominance,
        check_standardisation,
        measure_dominance,
        standardise_vectors,
    )
    from abxfast.scoring.stores import ChosenSnippets, choose_snippets, score_store
    from abxfast.scoring.task import Task

__all__ = [
    "STANDARDISATIONS",
    "AbxScores",
    "ChosenSnippets",
    "Dominance",
    "Task",
    "TaskCells",
    "check_embeddings",
    "check_output",
    "check_standardisation",
    "choose_snippets",
    "encode_label",
    "format_scores_csv",
    "format_scores_json",
    "label_names",
    "make_cells",
    "make_score_table",
    "measure_dominance",
    "nearest_recordings",
    "prepare_counting",
    "score_embeddings",
    "score_store",
    "standardise_vectors",
    "write_scores",
]

# Lazy: to score arrays, neither stores nor the audio libraries need to be importable.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cells": ["TaskCells", "make_cells"],
        "embeddings": ["check_embeddings", "make_score_table", "prepare_counting", "score_embeddings"],
        "labels": ["encode_label", "label_names"],
        "nearest": ["nearest_recordings"],
        "output": ["check_output", "format_scores_csv", "format_scores_json", "write_scores"],
        "scores": ["AbxScores"],
        "standardisation": [
            "STANDARDISATIONS",
            "Dominance",
            "check_standardisation",
            "measure_dominance",
            "standardise_vectors",
        ],
        "stores": ["ChosenSnippets", "choose_snippets", "score_store"],
        "task": ["Task"],
    },
)

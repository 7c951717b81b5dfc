"""Draws the figures of a study into files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from abxfast.figures import choose_families, settings
from abxfast.report.figure_index import FIGURES_FOLDER, indexed_files, write_index
from abxfast.report.gallery import Figure, figure_texts, study_figures
from abxfast.results import read_results

if TYPE_CHECKING:
    from pathlib import Path

_MAX_PART = 48
"""Characters of each part of a file's name."""


def write_figures(results_folder: Path) -> list[Path]:
    """Draw all figures of a results folder, see `abxfast.report.draw_figures`."""
    results = read_results(results_folder)
    folder = results_folder / FIGURES_FOLDER
    previous = indexed_files(results_folder)
    families, missing = choose_families(figure_texts(results))
    paths: list[Path] = []
    entries: list[dict[str, Any]] = []
    stems: set[str] = set()
    with settings(families):
        for figure in study_figures(results, missing):
            stem = _file_stem(figure, stems)
            files = figure.draw().save(folder / stem)
            paths += files
            entries.append(
                {
                    "name": stem,
                    "files": [path.name for path in files],
                    "kind": figure.kind,
                    "experiment": figure.experiment,
                    "encoder": figure.encoder,
                    "title": figure.title,
                    "caption": figure.caption,
                    "view": figure.key,
                }
            )
    index = write_index(results_folder, entries)
    for name in previous - {path.name for path in paths}:
        (folder / name).unlink(missing_ok=True)
    return [*paths, index]


def _file_stem(figure: Figure, taken: set[str]) -> str:
    """Return a name that every file system can store and that no other figure has; add it to `taken`."""
    parts = [re.sub(r"[^\w.-]+", "_", part).strip("._-")[:_MAX_PART] or "_" for part in figure.name_parts]
    base = f"{figure.kind}-{'-'.join(parts)}"
    stem, number = base, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{base}-{number}"
    taken.add(stem.casefold())
    return stem

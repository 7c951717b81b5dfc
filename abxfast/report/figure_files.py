"""Draws the figures of a study into files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abxfast.figures import choose_families, settings
from abxfast.report.file_index import FIGURES_FOLDER, file_stem, indexed_files, write_index
from abxfast.report.gallery import figure_texts, study_figures
from abxfast.results import read_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_figures(results_folder: Path, progress: Callable[[int, int, str], None] | None = None) -> list[Path]:
    """Draw all figures of a results folder, see `abxfast.report.draw_figures`."""
    results = read_results(results_folder)
    folder = results_folder / FIGURES_FOLDER
    previous = indexed_files(results_folder, FIGURES_FOLDER)
    families, missing = choose_families(figure_texts(results))
    paths: list[Path] = []
    entries: list[dict[str, Any]] = []
    stems: set[str] = set()
    with settings(families):
        figures = list(study_figures(results, missing))
        for number, figure in enumerate(figures):
            if progress:
                progress(number, len(figures), figure.title)
            stem = file_stem((figure.kind, *figure.name_parts), stems)
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
    index = write_index(results_folder, FIGURES_FOLDER, entries)
    for name in previous - {path.name for path in paths}:
        (folder / name).unlink(missing_ok=True)
    return [*paths, index]

"""Reports: the figures and the page of a study, made from its results folder.

This package decides what a reader gets to see of a study and in which words; the numbers come from `abxfast.results`,
the drawings from `abxfast.figures`. `draw_figures` chooses the figures, writes their captions and draws them into
``results/figures``; `write_trees` writes trees into ``results/trees``. `write_report` writes ``results/report.html``:
one file with what was found, interactive matrices, tables, a listening list, the figures, a methods section and its
references. It opens from disk, loads nothing from the network, and runs its own script only, under a
Content-Security-Policy.

Figures and page need the extra ``report``: figures need matplotlib, the page needs Jinja2. The page does not need
matplotlib; it shows the figures that exist. No other package imports Jinja2.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from abxfast._installation import install_command
from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["draw_figures", "write_report", "write_trees"]


def draw_figures(results: str | Path, progress: Callable[[int, int, str], None] | None = None) -> list[Path]:
    """Draw all figures of a results folder; the same tables give the same bytes.

    Parameters
    ----------
    results : path
        A folder that `abxfast.run_study` wrote.
    progress : callable, optional
        Called before each figure with the number of figures drawn, the number of all, and the title of the next.

    Returns
    -------
    list of Path
        The files written: PNG and SVG of each figure, then ``figures.json``, which describes them. Figures that an
        earlier call drew and that are no longer among them are removed.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    StudyError
        If the folder cannot be read.
    """
    from abxfast.report.figure_files import write_figures  # noqa: PLC0415

    return write_figures(Path(results), progress)


def write_report(results: str | Path, *, embed_audio: bool = False) -> Path:
    """Write the page of a results folder, with the figures that `draw_figures` left there.

    Parameters
    ----------
    results : path
        A folder that `abxfast.run_study` wrote.
    embed_audio : bool
        Whether to put clips of the listening lists into the page, of 5 s at most each, so that it can be moved away
        from the recordings.

    Returns
    -------
    Path
        ``results/report.html``.

    Raises
    ------
    MissingPackageError
        If Jinja2 is not installed.
    StudyError
        If the folder cannot be read.
    """
    try:
        from abxfast.report.page import write_page  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("jinja2", "markupsafe"):
            raise
        raise MissingPackageError(
            f"the page needs {error.name}, which is not installed: {install_command('abxfast[report]')}"
        ) from error
    return write_page(Path(results), embed_audio=embed_audio)


def write_trees(results: str | Path) -> list[Path]:
    """Write the trees of a results folder as Newick and NEXUS files, which programs for phylogenies read.

    Each matrix of a default variant with at least three values, and scores for half of its pairs, gets a tree of
    average linkage and one of neighbour joining. Distances are mean scores of both directions less 0.5.

    Parameters
    ----------
    results : path
        A folder that `abxfast.run_study` wrote.

    Returns
    -------
    list of Path
        The files written into ``results/trees``: for each matrix, a NEXUS file with both trees and the distances, and a
        Newick file of each tree; then ``trees.json``, which says what each of them shows. Files that an earlier call
        wrote and that are no longer among them are removed.

    Raises
    ------
    StudyError
        If the folder cannot be read.
    """
    from abxfast.report.recording_trees import write_tree_files  # noqa: PLC0415

    return write_tree_files(Path(results))

"""Reports: the figures and the page of a study, made from its results folder.

This package decides what a reader gets to see of a study and in which words; the numbers come from `abxfast.results`,
the drawings from `abxfast.figures`. `draw_figures` chooses the figures, writes their captions and draws them into
``results/figures``. `write_report` writes ``results/report.html``: one file with interactive matrices, tables, a
listening list, the figures, a methods section and its references. It opens from disk, loads nothing from the network,
and runs its own script only, under a Content-Security-Policy.

Both need the extra ``report``: figures need matplotlib, the page needs Jinja2. The page does not need matplotlib; it
shows the figures that exist. No other package imports Jinja2.
"""

from __future__ import annotations

from pathlib import Path

from abxfast._installation import install_command
from abxfast.errors import MissingPackageError

__all__ = ["draw_figures", "write_report"]


def draw_figures(results: str | Path) -> list[Path]:
    """Draw all figures of a results folder; the same tables give the same bytes.

    Parameters
    ----------
    results : path
        A folder that `abxfast.run_study` wrote.

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

    return write_figures(Path(results))


def write_report(results: str | Path) -> Path:
    """Write the page of a results folder, with the figures that `draw_figures` left there.

    Parameters
    ----------
    results : path
        A folder that `abxfast.run_study` wrote.

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
    return write_page(Path(results))

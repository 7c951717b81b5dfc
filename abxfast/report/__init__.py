"""Reports: the figures and the page of a study, made from its results folder.

`draw_figures` decides which figures a study gets, with their captions, and writes them to ``results/figures``.
`write_report` writes ``results/report.html``, one file that opens from disk without a network. No other package
imports Jinja2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["draw_figures", "write_report"]


def draw_figures(results: Path) -> list[Path]:
    """Draw all figures of a results folder; the same tables give the same bytes.

    Parameters
    ----------
    results : Path
        A folder that `abxfast.run_study` wrote.

    Returns
    -------
    list of Path
        The files written: PNG and SVG of each figure, then ``figures.json``, which says what each one shows. Figures of
        an earlier run that are no longer among them are removed.

    Raises
    ------
    MissingPackageError
        If the extra ``report`` is not installed.
    StudyError
        If the folder cannot be read.
    """
    from abxfast.report.gallery import draw_all  # noqa: PLC0415

    return draw_all(results)


def write_report(results: Path) -> Path:
    """Write the page of a results folder, with the figures that are there.

    Parameters
    ----------
    results : Path
        A folder that `abxfast.run_study` wrote.

    Returns
    -------
    Path
        ``results/report.html``.

    Raises
    ------
    MissingPackageError
        If the extra ``report`` is not installed.
    StudyError
        If the folder cannot be read.
    """
    try:
        from abxfast.report.page import write_page  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("jinja2", "markupsafe"):
            raise
        raise MissingPackageError(
            f"the page needs {error.name}, which is not installed: pip install 'abxfast[report]'"
        ) from error
    return write_page(results)

"""Figures of a study, fit for a paper: PNG and SVG, in ``results/figures``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["draw"]


def draw(results: Path) -> list[Path]:
    """Draw all figures of a results folder; the same tables give the same bytes.

    Returns
    -------
    list of Path
        What was written: PNG and SVG of each figure, then ``figures.json``, which says what each one shows. Figures of
        an earlier run that are no longer among them are removed.

    Raises
    ------
    MissingPackageError
        Where the extra ``report`` is not installed.
    StudyError
        Where the folder cannot be read.
    """
    try:
        from abxfast.report.gallery import draw_all  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("matplotlib", "scipy"):
            raise
        raise MissingPackageError(
            f"figures need {error.name}, which is not installed: pip install 'abxfast[report]'"
        ) from error
    return draw_all(results)

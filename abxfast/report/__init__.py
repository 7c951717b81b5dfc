"""The page of a study: ``results/report.html``, one file that opens from disk with no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_report"]


def write_report(results: Path) -> Path:
    """Write the page of a results folder, with the figures that are there.

    Returns
    -------
    Path
        ``results/report.html``.

    Raises
    ------
    MissingPackageError
        Where the extra ``report`` is not installed.
    StudyError
        Where the folder cannot be read.
    """
    try:
        from abxfast.report.page import write_page  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("jinja2", "markupsafe", "scipy"):
            raise
        raise MissingPackageError(
            f"the page needs {error.name}, which is not installed: pip install 'abxfast[report]'"
        ) from error
    return write_page(results)

"""Spreadsheets: the rows of an .xlsx, .xls or .ods file as text, with their numbers."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from abxfast._installation import install_command
from abxfast.errors import ManifestError, MissingPackageError
from abxfast.manifest.delimited_text import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

SPREADSHEET_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
_ODS_DURATION = re.compile(r"^PT(\d+)H(\d\d)M(\d\d)S$")
"""A duration of a day or more, which the reader returns as the file has it."""
_MAX_INTEGER = 1 << 53
"""Above it, a cell does not hold every integer."""


def read_spreadsheet(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the file and row number, and the cells as text, of each row of the first sheet that is not blank.

    The texts are those that a spreadsheet would save as CSV: ``12`` and ``0.3`` for numbers, ``TRUE``, ``2024-03-01``,
    ``14:30:00``. A cell without a value, or with an error of a formula, is empty.

    Raises
    ------
    ManifestError
        If the file cannot be read, or has no sheet with a column ``path`` in the first place.
    MissingPackageError
        If python-calamine is not installed.
    """
    name, cells = _first_sheet(path)
    rows = [[_format_cell(cell) for cell in row] for row in cells]
    width = max((number for row in rows for number, cell in enumerate(row, 1) if cell.strip()), default=0)
    filled = [(f"{path} row {number}", row[:width]) for number, row in enumerate(rows, 1) if any(map(str.strip, row))]
    if not filled:
        raise ManifestError(f"{path}: sheet {name!r} is empty, expected a header with a column 'path'")
    origin, header = filled[0]
    if "path" not in [cell.strip() for cell in header]:
        found = ", ".join(repr(cell.strip()) for cell in header if cell.strip())
        raise ManifestError(
            f"{origin}: found the header {found} in sheet {name!r}, expected a column 'path'; check its name, "
            "and that this sheet is the first"
        )
    yield from filled


def _first_sheet(path: Path) -> tuple[str, list[list[Any]]]:
    """Return the name and the cells of the first sheet that is shown."""
    content = read_bytes(path)
    try:
        import python_calamine as calamine  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"{path}: reading it needs python-calamine, which is not installed: "
            f"{install_command('abxfast[spreadsheet]')}; or save the table as CSV (UTF-8)"
        ) from error
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
        ]
        if not sheets:
            raise ManifestError(f"{path}: has no sheet that is shown; put the table into the first one")
        cells = workbook.get_sheet_by_name(sheets[0]).to_python(skip_empty_area=False)
    except calamine.PasswordError as error:
        raise ManifestError(f"{path}: is protected by a password; save it without, or as CSV (UTF-8)") from error
    except calamine.CalamineError as error:
        reason = " ".join(str(error).split())
        raise ManifestError(
            f"{path}: cannot be read as a spreadsheet ({reason}); save it again as .xlsx or .ods, or as CSV (UTF-8)"
        ) from error
    if len(sheets) > 1:
        logger.info("%s: has %d sheets, of which the first, %r, is read", path, len(sheets), sheets[0])
    return sheets[0], cells


def _format_cell(cell: object) -> str:
    """Return the value of a cell as text in NFC."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        whole = abs(cell) < _MAX_INTEGER and cell == int(cell)
        return str(int(cell)) if whole else f"{cell:.15g}"  # a spreadsheet shows 15 digits too
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "seconds") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    text = unicodedata.normalize("NFC", str(cell))
    return _ODS_DURATION.sub(r"\1:\2:\3", text)

"""CSV text of tables, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_BYTE_ORDER_MARK = "\ufeff"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""Beginning of a text that a spreadsheet takes for a formula (OWASP, "CSV injection"), or that was escaped already."""
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def format_csv(table: pa.Table, separator: str = ",", *, excel: bool = False) -> str:
    """Return a table as delimited text with a header row; a null becomes an empty cell.

    A text that a spreadsheet would take for a formula, such as ``-ta`` or ``@speaker``, gets an apostrophe before it;
    see `escape_formula`. Numbers, and texts that are numbers, stay as they are.

    Parameters
    ----------
    table : pyarrow.Table
    separator : str
    excel : bool
        Begin with a byte order mark, without which Excel does not read UTF-8.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(map(escape_formula, table.column_names))
    columns = (column.to_pylist() for column in table.columns)
    for row in zip(*columns, strict=True):
        writer.writerow([escape_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return _BYTE_ORDER_MARK * excel + text.getvalue()


def escape_formula(text: str) -> str:
    """Return a text with an apostrophe before it if a spreadsheet would take it for a formula; else as it is.

    Texts that begin with apostrophes before such a character get one more, so that `unescape_formula` always returns
    the original.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return text[1:] if _ESCAPED.match(text) else text

"""Delimited text as spreadsheets save it: its encoding, its separator, and its rows with their lines."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import TYPE_CHECKING

from abxfast._files import describe_kind
from abxfast.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_MAX_QUOTED_HEADER = 120
"""Characters of a header that a message quotes at most."""


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    ManifestError
        If it cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would wait forever
            raise ManifestError(f"{path}: is not a regular file; save the table as one")
        return path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    """Read a text file in UTF-8 or UTF-16, with or without a byte order mark, and return it in NFC.

    Raises
    ------
    ManifestError
        If the file cannot be read, or its bytes are not text in these encodings.
    """
    raw = read_bytes(path)
    kind = describe_kind(path)
    if kind and path.suffix.lower() not in TEXT_SUFFIXES:
        raise ManifestError(f"{path}: is {kind[0]}, expected a table of recordings: .csv, .tsv, .xlsx or .ods")
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = _last_line_number(raw[: error.start].decode(encoding, errors="ignore"))
        raise ManifestError(
            f"{path} line {line}: byte 0x{raw[error.start]:02x} is not {encoding.removesuffix('-sig').upper()}; "
            "save the table as UTF-8 (in a spreadsheet: CSV UTF-8)"
        ) from error
    if "\x00" in text:
        line = _last_line_number(text[: text.index("\x00")])
        raise ManifestError(f"{path} line {line}: contains a NUL character; if it is a table, save it as CSV UTF-8")
    return unicodedata.normalize("NFC", text)


def find_separator(path: Path, text: str) -> str:
    """Return the separator (comma, semicolon or tab) with which the header has a column ``path``.

    Raises
    ------
    ManifestError
        If no separator gives such a column.
    """
    if not text.strip():
        raise ManifestError(f"{path}: is empty, expected a header with a column 'path'")
    for separator in (",", ";", "\t"):
        try:
            _, header = next(iterate_rows(path, text, separator))
        except (ManifestError, StopIteration):
            continue
        if "path" in [cell.strip(" ") for cell in header]:  # a tab is kept: it may be the separator
            return separator
    blank = text[: len(text) - len(text.lstrip())]
    header_text = " ".join(text.lstrip().splitlines()[0].split())[:_MAX_QUOTED_HEADER]
    raise ManifestError(
        f"{path} line {_last_line_number(blank)}: found the header {header_text!r}, expected a column 'path'; "
        "check its name and the quotes"
    )


def iterate_rows(path: Path, text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the file and line, and the cells, of each row that is not blank.

    Raises
    ------
    ManifestError
        If a row is not valid CSV.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    origin = f"{path} line 1"
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield origin, cells
            origin = f"{path} line {rows.line_num + 1}"  # a quoted cell may span several lines
    except csv.Error as error:
        raise ManifestError(f"{origin}: {error}; check the quotes") from error


def _last_line_number(text: str) -> int:
    """Return the number of the last line, as the csv module counts: lines end with CR, LF or CRLF only."""
    return text.count("\n") + text.count("\r") - text.count("\r\n") + 1

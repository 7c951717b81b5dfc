"""Manifests of tables: rows of recordings and metadata, checked one by one."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

from abxfast._files import unescape_formula
from abxfast.errors import ManifestError
from abxfast.manifest.delimited_text import find_separator, iterate_rows, read_text
from abxfast.manifest.file_index import FileIndex
from abxfast.manifest.items import RESERVED_COLUMNS, STRUCTURAL_COLUMNS, Item, Manifest
from abxfast.manifest.spreadsheet import SPREADSHEET_SUFFIXES, read_spreadsheet


def read_manifest(path: str | Path, *, need_audio: bool = True) -> Manifest:
    """Read a table: a spreadsheet, or text in UTF-8 or UTF-16 that commas, semicolons or tabs separate.

    A spreadsheet is known by its suffix (``.xlsx``, ``.xlsm``, ``.xls`` or ``.ods``); its first sheet is read, which
    needs the extra ``spreadsheet``.

    Parameters
    ----------
    path : path
        The table. Its column ``path`` is relative to its own folder. ``item`` and ``recording`` name the row and the
        recording, ``start_s`` and ``end_s`` limit it to a stretch; all other columns are metadata. An apostrophe
        before ``= + - @``, as in tables that abxfast writes, is no part of a label.
    need_audio : bool
        Whether the audio files must exist.

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        If the table or one of its rows cannot be used; the message names file and line.
    MissingPackageError
        If the table is a spreadsheet, and python-calamine is not installed.
    """
    path = Path(path)
    if path.suffix.lower() in SPREADSHEET_SUFFIXES:
        rows, separator = read_spreadsheet(path), "\t"
    else:
        text = read_text(path)
        separator = find_separator(path, text)
        rows = iterate_rows(path, text, separator)
    header = _parse_header(*next(rows))
    files = FileIndex(path.parent)
    items: list[Item] = []
    item_origins: dict[str, str] = {}
    recordings: dict[str, Item] = {}
    for origin, cells in rows:
        if len(cells) != len(header):
            raise ManifestError(
                f"{origin}: has {len(cells)} cells, the header {len(header)}; quote cells that contain {separator!r}"
            )
        row = {name: _parse_cell(name, cell) for name, cell in zip(header, cells, strict=True)}
        item = _parse_row(row, files, origin, need_audio=need_audio, decimal_comma=separator != ",")
        if item.item in item_origins:
            raise ManifestError(
                f"{origin}: {item.item!r} is already in {item_origins[item.item]}; "
                "remove one of the rows, or give each a name in a column 'item'"
            )
        item_origins[item.item] = origin
        first = recordings.setdefault(item.recording, item)
        if first.path != item.path:
            raise ManifestError(
                f"{origin}: recording {item.recording!r} is another file in {first.origin}; "
                "give each file a name of its own"
            )
        items.append(item)
    if not items:
        raise ManifestError(f"{path}: has a header but no rows; add one for each recording")
    return Manifest(tuple(items), tuple(name for name in header if name not in STRUCTURAL_COLUMNS))


def _parse_cell(column: str, cell: str) -> str | None:
    """Return the text of a cell, as it was before a table of abxfast's escaped it; ``None`` if it is empty."""
    text = cell.strip()
    return (text if column == "path" else unescape_formula(text)) or None


def _parse_header(origin: str, cells: list[str]) -> list[str]:
    header = [" ".join(cell.split()) for cell in cells]
    for column, name in enumerate(header):
        if not name:
            raise ManifestError(f"{origin}: column {column + 1} has no name; name it, or remove it")
        if header.index(name) != column:
            raise ManifestError(f"{origin}: two columns are named {name!r}; rename one")
        if name in RESERVED_COLUMNS:
            raise ManifestError(f"{origin}: the name {name!r} is reserved for abxfast; rename the column")
    return header


def _parse_row(
    row: dict[str, str | None], files: FileIndex, origin: str, *, need_audio: bool, decimal_comma: bool
) -> Item:
    name = row["path"]
    if name is None:
        raise ManifestError(f"{origin}: the cell 'path' is empty; name an audio file, or remove the row")
    start_s = _parse_seconds(row.get("start_s"), "start_s", origin, decimal_comma=decimal_comma)
    end_s = _parse_seconds(row.get("end_s"), "end_s", origin, decimal_comma=decimal_comma)
    if start_s is None and end_s is not None:
        start_s = 0.0
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise ManifestError(f"{origin}: end_s {end_s!r} is not after start_s {start_s!r}; correct one of them")
    # ./a.wav is a.wav, and would otherwise be two recordings.
    posix = PurePosixPath(name.replace("\\", "/") if files.find(name) is None else name).as_posix()
    path = files.find(posix)
    if path is None:
        if need_audio:
            raise ManifestError(f"{origin}: no such file: {name!r} (looked in {files.root})")
        path = files.root / posix
    stretch = "" if start_s is None else f"#{start_s!r}-{'' if end_s is None else repr(end_s)}"
    return Item(
        item=row.get("item") or posix + stretch,
        recording=row.get("recording") or posix,
        path=path,
        start_s=start_s,
        end_s=end_s,
        labels={column: cell for column, cell in row.items() if column not in STRUCTURAL_COLUMNS},
        origin=origin,
    )


def _parse_seconds(cell: str | None, column: str, origin: str, *, decimal_comma: bool) -> float | None:
    if cell is None:
        return None
    try:
        seconds = float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ManifestError(f"{origin}: {column} is {cell!r}, expected seconds such as 12.5")
    return seconds

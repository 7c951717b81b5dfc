"""The list of recordings: a folder as it stands, or a table that a linguist wrote."""

from __future__ import annotations

import csv
import io
import math
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from abxfast.audio import SUFFIXES, UNREADABLE_SUFFIXES
from abxfast.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STRUCTURE = ("path", "item", "recording", "start_s", "end_s")
"""Columns that have a meaning of their own; every other column is metadata."""
RESERVED = ("snippet_s",)
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Item:
    """One row: a recording, or a stretch of one.

    Attributes
    ----------
    item : str
        What names the row: its column ``item``; else its path, with ``#start-end`` where it is a stretch.
    recording : str
        What names the recording: the column ``recording``, else its path as written.
    path : Path
        Where the audio is.
    start_s, end_s : float or None
        The stretch in seconds; ``None`` is the end of the recording.
    labels : dict of str to str or None
        The metadata columns; ``None`` where the cell is empty.
    origin : str
        File and line, for messages.
    """

    item: str
    recording: str
    path: Path
    start_s: float | None = None
    end_s: float | None = None
    labels: dict[str, str | None] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True)
class Manifest:
    """The rows, in the order given, and the names of the metadata columns."""

    items: tuple[Item, ...]
    columns: tuple[str, ...] = ()


def load_manifest(source: str | Path | Sequence[str | Path]) -> Manifest:
    """Make a manifest of a table, of one or several folders and audio files, or of both's paths.

    Raises
    ------
    ManifestError
        Where the table cannot be used, or there is no audio.
    """
    paths = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
    tables = [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        return scan_recordings(paths)
    if len(paths) > 1:
        raise ManifestError(f"{tables[0]}: a manifest goes alone, found {len(paths) - 1} other path(s) beside it")
    return read_manifest(tables[0])


def scan_recordings(paths: Sequence[Path]) -> Manifest:
    """Find the audio in folders (with all that lies below them) and among the files given.

    A recording is named by its path relative to the folder, with forward slashes on every system. Hidden files are
    passed over.

    Raises
    ------
    ManifestError
        Where a path is not there, a folder has no audio, two recordings get the same name, or one gets two.
    """
    if not paths:
        raise ManifestError("no folder and no audio file given")
    found: dict[str, tuple[Path, Path]] = {}
    names: dict[Path, str] = {}
    for root in paths:
        if not root.exists():
            raise ManifestError(f"{root}: no such file or folder")
        base, files = (root, _audio_below(root)) if root.is_dir() else (root.parent, [root])
        if not files:
            raise ManifestError(f"{root}: no audio in this folder; looked for wav, flac, mp3, ogg, aiff and the like")
        # The base alone is resolved: a link below it is the user's own way to name a recording.
        real_base = base.resolve()
        for file in files:
            real = real_base / file.relative_to(base)
            name = unicodedata.normalize("NFC", file.relative_to(base).as_posix())
            if names.setdefault(real, name) != name:
                raise ManifestError(f"{file}: is there as {names[real]!r} and as {name!r}; give its folder once")
            other, first = found.setdefault(name, (real, file))
            if other != real:
                raise ManifestError(
                    f"{file}: would be called {name!r}, as {first} is; give the folder that holds both, or a manifest"
                )
    return Manifest(tuple(Item(name, name, file, origin=str(file)) for name, (_, file) in found.items()))


def _audio_below(root: Path) -> list[Path]:
    known = SUFFIXES | UNREADABLE_SUFFIXES
    files = []
    for folder, folders, names in os.walk(root, onerror=_unreadable_folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            Path(folder, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in known
        ]
    return files


def _unreadable_folder(error: OSError) -> NoReturn:
    raise ManifestError(f"{error.filename}: cannot be read ({error.strerror}); its recordings would be left out")


def read_manifest(path: Path, *, need_audio: bool = True) -> Manifest:
    """Read a table: comma, semicolon or tab separated, UTF-8 or UTF-16, with or without a byte order mark.

    Parameters
    ----------
    path : Path
        The table. Its column ``path`` is relative to its own folder. ``item`` and ``recording`` name the row and the
        recording, ``start_s`` and ``end_s`` a stretch of it; all other columns are metadata.
    need_audio : bool
        Whether a row whose file is not there is refused.

    Raises
    ------
    ManifestError
        With file and line, where a row cannot be used.
    """
    text = _decode(path)
    separator = _separator(path, text)
    rows = _rows(path, text, separator)
    origin, cells = next(rows)
    header = _header(origin, cells)
    items: list[Item] = []
    seen: dict[str, str] = {}
    recordings: dict[str, tuple[Path, str]] = {}
    folder = _Folder(path.parent, need_audio=need_audio)
    for origin, cells in rows:
        if len(cells) != len(header):
            raise ManifestError(
                f"{origin}: has {len(cells)} cells, the header {len(header)}; quote cells that hold {separator!r}"
            )
        row = {name: cell.strip() or None for name, cell in zip(header, cells, strict=True)}
        item = _item(row, folder, origin, comma=separator != ",")
        if item.item in seen:
            raise ManifestError(
                f"{origin}: {item.item!r} stands already in {seen[item.item]}; "
                "take one of them out, or tell them apart in a column 'item'"
            )
        seen[item.item] = origin
        file, first = recordings.setdefault(item.recording, (item.path, origin))
        if file != item.path:
            raise ManifestError(
                f"{origin}: recording {item.recording!r} is another file in {first}; give each file a name of its own"
            )
        items.append(item)
    if not items:
        raise ManifestError(f"{path}: has a header but no rows; add one for each recording")
    return Manifest(tuple(items), tuple(name for name in header if name not in STRUCTURE))


def _decode(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = _lines(raw[: error.start].decode(encoding, errors="ignore"))
        raise ManifestError(
            f"{path} line {line}: byte 0x{raw[error.start]:02x} is not {encoding.removesuffix('-sig').upper()}; "
            "save the table as UTF-8 (in a spreadsheet: CSV UTF-8)"
        ) from error
    if "\x00" in text:
        line = _lines(text[: text.index("\x00")])
        raise ManifestError(f"{path} line {line}: holds a NUL character; is it a table? save it as CSV UTF-8")
    return unicodedata.normalize("NFC", text)


def _lines(text: str) -> int:
    """Count lines as the csv module does: ended by CR, LF or both, and by nothing else."""
    return text.count("\n") + text.count("\r") - text.count("\r\n") + 1


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Give the rows that are not blank, each with its file and line."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    origin = f"{path} line 1"
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield origin, cells
            origin = f"{path} line {rows.line_num + 1}"  # a quoted cell may go over several lines
    except csv.Error as error:
        raise ManifestError(f"{origin}: {error}; check the quotes") from error


def _separator(path: Path, text: str) -> str:
    if not text.strip():
        raise ManifestError(f"{path}: is empty, expected a header with a column 'path'")
    for separator in (",", ";", "\t"):
        try:
            _, header = next(_rows(path, text, separator))
        except (ManifestError, StopIteration):
            continue
        if "path" in [cell.strip(" ") for cell in header]:  # and no tab: it may be what separates
            return separator
    before = text[: len(text) - len(text.lstrip())]
    found = " ".join(text.lstrip().splitlines()[0].split())[:120]
    raise ManifestError(
        f"{path} line {_lines(before)}: no column 'path' in the header, check name and quotes; found: {found}"
    )


def _header(origin: str, cells: list[str]) -> list[str]:
    header = [" ".join(cell.split()) for cell in cells]
    for column, name in enumerate(header):
        if not name:
            raise ManifestError(f"{origin}: column {column + 1} has no name; give it one, or take it out")
        if header.index(name) != column:
            raise ManifestError(f"{origin}: two columns are called {name!r}; rename one")
        if name in RESERVED:
            raise ManifestError(f"{origin}: {name!r} is a column of abxfast's own; give yours another name")
    return header


def _item(row: dict[str, str | None], folder: _Folder, origin: str, *, comma: bool) -> Item:
    name = row["path"]
    if name is None:
        raise ManifestError(f"{origin}: the cell 'path' is empty; name an audio file, or take the row out")
    start_s = _seconds(row.get("start_s"), "start_s", origin, comma=comma)
    end_s = _seconds(row.get("end_s"), "end_s", origin, comma=comma)
    if start_s is None and end_s is not None:
        start_s = 0.0
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise ManifestError(f"{origin}: end_s {end_s!r} is not after start_s {start_s!r}; correct one of them")
    # ./a.wav is a.wav, and would otherwise stand there twice under two names.
    posix = PurePosixPath(name.replace("\\", "/") if folder.find(name) is None else name).as_posix()
    file = folder.find(posix)
    if file is None:
        if folder.need_audio:
            raise ManifestError(f"{origin}: no such file: {name!r} (looked in {folder.root})")
        file = folder.root / posix
    stretch = "" if start_s is None else f"#{start_s!r}-{'' if end_s is None else repr(end_s)}"
    return Item(
        item=row.get("item") or posix + stretch,
        recording=row.get("recording") or posix,
        path=file,
        start_s=start_s,
        end_s=end_s,
        labels={name: cell for name, cell in row.items() if name not in STRUCTURE},
        origin=origin,
    )


def _seconds(cell: str | None, name: str, origin: str, *, comma: bool) -> float | None:
    if cell is None:
        return None
    try:
        value = float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ManifestError(f"{origin}: {name} is {cell!r}, expected seconds such as 12.5")
    return value


class _Folder:
    """Finds the files of a manifest, also where the system spells accents in another Unicode form than the table."""

    def __init__(self, root: Path, *, need_audio: bool) -> None:
        self.root = root
        self.need_audio = need_audio
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, name: str) -> Path | None:
        """Give the file of this name; ``None`` if there is none."""
        try:
            return self._find(name)
        except OSError:  # such as a name that is too long for the system
            return None

    def _find(self, name: str) -> Path | None:
        path = self.root / name
        if path.is_file():
            return path
        path = self.root
        for part in Path(name).parts:
            spelled = part if (path / part).exists() else self._entries(path).get(part)
            if spelled is None:
                return None
            path /= spelled
        return path if path.is_file() else None

    def _entries(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            try:
                names = [entry.name for entry in folder.iterdir()]
            except OSError:
                names = []
            self._listed[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._listed[folder]

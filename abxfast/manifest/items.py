"""The manifest in memory: its rows and the names of their metadata columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STRUCTURAL_COLUMNS = ("path", "item", "recording", "start_s", "end_s")
"""Columns that have a meaning of their own; every other column is metadata."""
RESERVED_COLUMNS = ("snippet_s",)
"""Names that no metadata column may have, as they are columns of abxfast's tables."""


@dataclass(frozen=True)
class Item:
    """One row: a recording, or a stretch of one.

    Attributes
    ----------
    item : str
        Name of the row: its column ``item``; else its path, with ``#start-end`` appended if it is a stretch.
    recording : str
        Name of the recording: the column ``recording``, else its path as written.
    path : Path
        The audio file.
    start_s, end_s : float or None
        The stretch in seconds; ``None`` is the start or the end of the recording.
    labels : dict of str to str or None
        The metadata columns; ``None`` if the cell is empty.
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
    """A list of recordings, or of stretches of them, with their metadata.

    Attributes
    ----------
    items : tuple of Item
        The rows, in the order of the table.
    columns : tuple of str
        Names of the metadata columns, in the order of the table.
    names_from_paths : bool
        Whether the items are the files of a folder, so that nobody chose their names.

    Examples
    --------
    >>> from pathlib import Path
    >>> from abxfast.manifest import read_manifest
    >>> manifest = read_manifest(Path("recordings.csv"))
    >>> len(manifest.items)
    12
    >>> manifest.columns
    ('experiment', 'condition', 'take', 'voice', 'room', 'vowels', 'level_db')
    >>> first = manifest.items[0]
    >>> first.recording, first.labels["room"]
    ('recordings/room-studio-1.wav', 'studio')
    """

    items: tuple[Item, ...]
    columns: tuple[str, ...] = ()
    names_from_paths: bool = False

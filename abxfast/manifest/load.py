"""Manifests of whatever the user passes: one table, or folders and audio files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from abxfast.errors import ManifestError
from abxfast.manifest.delimited_text import TEXT_SUFFIXES
from abxfast.manifest.folders import scan_recordings
from abxfast.manifest.spreadsheet import SPREADSHEET_SUFFIXES
from abxfast.manifest.table import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.manifest.items import Manifest

TABLE_SUFFIXES = (*TEXT_SUFFIXES, *SPREADSHEET_SUFFIXES)


def load_manifest(source: str | Path | Sequence[str | Path]) -> Manifest:
    """Return the manifest of one table, or of any number of folders and audio files.

    Parameters
    ----------
    source : path or sequence of paths
        A table, which is known by its suffix (`TABLE_SUFFIXES`), or folders and audio files.

    Raises
    ------
    ManifestError
        If the table cannot be used, or if there is no audio.
    """
    paths = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
    tables = [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        return scan_recordings(paths)
    if len(paths) > 1:
        raise ManifestError(
            f"{tables[0]}: a manifest must be the only path, found {len(paths) - 1} more; "
            "list all recordings in the manifest"
        )
    return read_manifest(tables[0])

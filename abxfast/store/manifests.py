"""The copies of manifests that a store keeps, so that the metadata stay with the vectors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from abxfast._files import json_digest, remove
from abxfast.errors import StoreError
from abxfast.store import parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from abxfast.manifest import Manifest

FORMAT = 1
ROW_COLUMNS = ("item", "recording", "path", "start_s", "end_s")
_MAX_ATTEMPTS = 20
"""Listings to try, since another process may replace a copy between the listing and the reading."""


class _Copy(NamedTuple):
    written_ns: int
    path: Path
    table: pa.Table


def read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the manifest row of each item; if several copies name an item, from the newest."""
    rows: dict[str, dict[str, Any]] = {}
    for copy in _read_copies(folder):
        rows.update((row["item"], row) for row in copy.table.to_pylist())
    return rows


def read_metadata_columns(folder: Path) -> list[str]:
    """Read the names of the metadata columns."""
    names = dict.fromkeys(name for copy in _read_copies(folder) for name in copy.table.column_names)
    return [name for name in names if name not in ROW_COLUMNS]


def save_copy(folder: Path, manifest: Manifest, relative: Callable[[Path], str]) -> None:
    """Save a copy unless the newest is identical, and remove older ones whose items it all names.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    relative : callable
        Returns the path of an audio file as it is to be stored.
    """
    items = manifest.items
    table = pa.table(
        {
            "item": pa.array([item.item for item in items], pa.string()),
            "recording": pa.array([item.recording for item in items], pa.string()),
            "path": pa.array([relative(item.path) for item in items], pa.string()),
            "start_s": pa.array([item.start_s for item in items], pa.float64()),
            "end_s": pa.array([item.end_s for item in items], pa.float64()),
            **{name: pa.array([item.labels.get(name) for item in items], pa.string()) for name in manifest.columns},
        }
    )
    older = _read_copies(folder)
    if older and older[-1].table.equals(table):
        return
    # Later than the newest copy, even if a clock was wrong.
    written_ns = max(time.time_ns(), older[-1].written_ns + 1 if older else 0)
    path = _write_copy(folder, table, written_ns)
    names = {item.item for item in items}
    for copy in older:
        if copy.path != path and names.issuperset(copy.table["item"].to_pylist()):
            remove(copy.path)


def remove_rows(folder: Path, items: Collection[str]) -> None:
    """Remove the rows of items from all copies.

    Parameters
    ----------
    folder : Path
    items : collection of str
        Names of items; names without a row are ignored.
    """
    for copy in _read_copies(folder):
        kept = [name not in items for name in copy.table["item"].to_pylist()]
        if all(kept):
            continue
        if any(kept):
            _write_copy(folder, copy.table.filter(pa.array(kept)), copy.written_ns)
        remove(copy.path)


def _write_copy(folder: Path, table: pa.Table, written_ns: int) -> Path:
    """Write a copy, named by its rows; return its path."""
    path = folder / f"manifest-{json_digest(table.to_pydict())[:16]}.parquet"
    parquet.write_parquet(path, table, {"written_ns": written_ns, "format": FORMAT})
    return path


def _read_copies(folder: Path) -> list[_Copy]:
    """Read the copies, the newest last."""
    for _ in range(_MAX_ATTEMPTS):
        copies = []
        try:
            for path in parquet.list_files(folder):
                footer = parquet.read_footer(path)
                written_ns = footer.meta.get("written_ns")
                if not isinstance(written_ns, int) or not _has_columns(footer.schema):
                    raise parquet.damaged(path)
                copies.append(_Copy(written_ns, path, parquet.read_columns(path).replace_schema_metadata(None)))
        except FileNotFoundError:
            continue
        return sorted(copies, key=lambda copy: copy[:2])
    raise StoreError(f"{path}: is listed but does not exist; repair or remove it")


def _has_columns(schema: pa.Schema) -> bool:
    """Return whether a file has the columns of a copy: those of `ROW_COLUMNS`, and texts."""
    types = dict.fromkeys((*ROW_COLUMNS, *schema.names), pa.string())
    types |= dict.fromkeys(("start_s", "end_s"), pa.float64())
    return all(schema.names.count(name) == 1 and schema.field(name).type == kind for name, kind in types.items())

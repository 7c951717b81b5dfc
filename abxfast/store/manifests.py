"""The copies of manifests that a store keeps: its metadata, for as long as the vectors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from abxfast._files import json_digest, remove
from abxfast.errors import StoreError
from abxfast.store import parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abxfast.manifest import Manifest

FORMAT = 1
ROW_COLUMNS = ("item", "recording", "path", "start_s", "end_s")
_TRIES = 20
"""How often a listing may be overtaken by another process that puts a newer copy in an older one's place."""


class _Copy(NamedTuple):
    written_ns: int
    path: Path
    table: pa.Table


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Give the row of each item; of several, the newest counts."""
    found: dict[str, dict[str, Any]] = {}
    for copy in _read(folder):
        found.update((row["item"], row) for row in copy.table.to_pylist())
    return found


def metadata_columns(folder: Path) -> list[str]:
    """Give the names of the metadata columns."""
    names = dict.fromkeys(name for copy in _read(folder) for name in copy.table.column_names)
    return [name for name in names if name not in ROW_COLUMNS]


def put(folder: Path, manifest: Manifest, relative: Callable[[Path], str]) -> None:
    """Keep a copy, unless the newest says the same; older ones go if it speaks of all their items.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    relative : callable
        Gives an audio file's path as it is to be kept.
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
    older = _read(folder)
    if older and older[-1].table.equals(table):
        return
    # Later than the newest, also where a clock was wrong.
    written_ns = max(time.time_ns(), older[-1].written_ns + 1 if older else 0)
    path = folder / f"manifest-{json_digest(table.to_pydict())[:16]}.parquet"
    parquet.write_parquet(path, table, {"written_ns": written_ns, "format": FORMAT})
    named = {item.item for item in items}
    for copy in older:
        if copy.path != path and named.issuperset(copy.table["item"].to_pylist()):
            remove(copy.path)


def _read(folder: Path) -> list[_Copy]:
    """Read the copies, the newest last."""
    for _ in range(_TRIES):
        found = []
        try:
            for path in folder.glob("*.parquet"):
                written_ns = parquet.read_meta(path).get("written_ns")
                if not isinstance(written_ns, int):
                    raise parquet.damaged(path)
                found.append(_Copy(written_ns, path, parquet.read_columns(path).replace_schema_metadata(None)))
        except FileNotFoundError:
            continue
        return sorted(found, key=lambda copy: copy[:2])
    raise StoreError(f"{path}: is listed but not there; mend or remove it")

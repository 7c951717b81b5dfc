"""The index of files that the report writes into a folder of the results: for each figure or tree, what it shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from abxfast._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIGURES_FOLDER, TREES_FOLDER = "figures", "trees"
_MAX_PART = 48
"""Characters of each part of a file's name."""


def write_index(results_folder: Path, folder: str, entries: Sequence[dict[str, Any]]) -> Path:
    """Write the index of a folder, such as ``figures/figures.json``; return its path."""
    path = _index_path(results_folder, folder)
    write_atomic(path, f"{json.dumps(entries, ensure_ascii=False, indent=1)}\n".encode())
    return path


def read_index(results_folder: Path, folder: str) -> list[dict[str, Any]]:
    """Return the entries of an index; none if there is no index, or it cannot be read."""
    try:
        entries = json.loads(_index_path(results_folder, folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return entries if isinstance(entries, list) else []


def indexed_files(results_folder: Path, folder: str) -> set[str]:
    """Return the names of the files that an index lists: plain names of figures and trees, whatever it says."""
    try:
        names = {str(name) for entry in read_index(results_folder, folder) for name in entry["files"]}
    except (TypeError, KeyError):
        return set()
    return {name for name in names if re.fullmatch(r"[\w.-]+\.(png|svg|nwk|nex)", name)}


def file_stem(parts: Sequence[str], taken: set[str]) -> str:
    """Return a name that every file system can store and that no other file has; add it to `taken`."""
    base = "-".join(re.sub(r"[^\w.-]+", "_", part).strip("._-")[:_MAX_PART] or "_" for part in parts)
    stem, number = base, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{base}-{number}"
    taken.add(stem.casefold())
    return stem


def _index_path(results_folder: Path, folder: str) -> Path:
    return results_folder / folder / f"{folder}.json"

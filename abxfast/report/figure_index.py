"""The index of a study's figures, ``figures/figures.json``: for each figure its files and what it shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from abxfast._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIGURES_FOLDER = "figures"
_NAME = "figures.json"


def write_index(results_folder: Path, entries: Sequence[dict[str, Any]]) -> Path:
    """Write the index; return its path."""
    path = results_folder / FIGURES_FOLDER / _NAME
    write_atomic(path, f"{json.dumps(entries, ensure_ascii=False, indent=1)}\n".encode())
    return path


def read_index(results_folder: Path) -> list[dict[str, Any]]:
    """Return the entries of the index; none if there is no index, or it cannot be read."""
    try:
        entries = json.loads((results_folder / FIGURES_FOLDER / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return entries if isinstance(entries, list) else []


def indexed_files(results_folder: Path) -> set[str]:
    """Return the names of the figure files that the index lists: plain names of PNG and SVG files, whatever it says."""
    try:
        names = {str(name) for entry in read_index(results_folder) for name in entry["files"]}
    except (TypeError, KeyError):
        return set()
    return {name for name in names if re.fullmatch(r"[\w.-]+\.(png|svg)", name)}

"""The files that make up a published checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG, PREPROCESSOR, MODEL_CARD = "config.json", "preprocessor_config.json", "README.md"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Names of files of weights, or of an index of them, in order of preference: the first that exists is read."""
MAX_LISTED = 3
"""Names that an error message lists."""


def find_weights(folder: Path, source: str) -> tuple[Path, ...]:
    """Return the paths of the files of weights in a folder.

    Parameters
    ----------
    folder : Path
    source : str
        Name of the checkpoint, for error messages.

    Raises
    ------
    ExportError
        If there are none, or the index is invalid.
    """
    for name in WEIGHTS:
        path = folder / name
        if not path.is_file():
            continue
        if not name.endswith(".index.json"):
            return (path,)
        index = read_json(path).get("weight_map")
        if not isinstance(index, dict) or not index or not all(isinstance(part, str) for part in index.values()):
            raise ExportError(f"{source}: {name}: weight_map is not a table of weights and the files that hold them")
        parts = sorted(set(index.values()))
        if any(Path(part).name != part for part in parts):
            raise ExportError(f"{source}: {name} names a file outside of the folder")
        missing = [part for part in parts if not (folder / part).is_file()]
        if missing:
            raise ExportError(f"{source}: {name} names {abbreviate(missing)}, which does not exist; fetch it again")
        return tuple(folder / part for part in parts)
    raise ExportError(f"{source}: no weights; expected one of {', '.join(WEIGHTS)}")


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises
    ------
    ExportError
        If the file cannot be read as one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ExportError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path}: expected a JSON object")
    return content


def abbreviate(names: list[str]) -> str:
    """Return the first names, and the number of the others, for an error message."""
    listed = ", ".join(names[:MAX_LISTED])
    return listed if len(names) <= MAX_LISTED else f"{listed} and {len(names) - MAX_LISTED} more"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

"""Names of files: relative to a folder, and derived from a content."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def relative_path(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with forward slashes; the absolute path if they are on different drives."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def json_digest(value: object) -> str:
    """Return the SHA-256 of a value's JSON text, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()

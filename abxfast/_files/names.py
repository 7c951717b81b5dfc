"""Names of files: relative to a folder, and derived from a content."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SURROGATE_OF_ZERO, _FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC00, 0xDC80, 0xDCFF
"""os.fsdecode turns a byte that is not UTF-8 into the surrogate 0xDC00 + byte."""


def relative_path(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with forward slashes; the absolute path if they are on different drives."""
    try:
        return to_text(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:
        return to_text(path.absolute().as_posix())


def to_text(name: str) -> str:
    r"""Return a file name as text: a byte that is not UTF-8, which Python has as a lone surrogate, becomes ``\xe9``."""
    return _LONE_SURROGATE.sub(_escape, name)


def to_printable(text: str) -> str:
    """Return text for a terminal: control characters, and those that turn the direction of writing, are escaped."""
    return _CONTROL.sub(_escape, to_text(text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if _FIRST_ESCAPED_BYTE <= code <= _LAST_ESCAPED_BYTE:
        code -= _SURROGATE_OF_ZERO
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004


def json_digest(value: object) -> str:
    """Return the SHA-256 of a value's JSON text, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()

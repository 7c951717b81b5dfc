"""Names of files as URLs, whatever they are called."""

from __future__ import annotations

import re
from urllib.parse import quote


def file_url(path: str) -> str:
    """Make a URL of a path as the tables have it: relative to the results folder, or absolute; forward slashes.

    Every letter but those that a URL may hold is quoted, the colon too: no name of a file can become another scheme.
    """
    drive = re.match(r"([A-Za-z]:)/", path)
    if drive:
        return f"file:///{drive.group(1)}{_quoted(path[2:])}"
    if path.startswith("/"):
        # One slash only: two would name another machine.
        return f"file:///{_quoted(path.lstrip('/'))}"
    return _quoted(path)


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")

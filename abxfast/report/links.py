"""Paths as URLs, whatever files are called."""

from __future__ import annotations

import re
from urllib.parse import quote


def file_url(path: str) -> str:
    """Return the URL of a file.

    Every character that a URL may not contain is quoted, the colon too: no name of a file can become a scheme.

    Parameters
    ----------
    path : str
        With forward slashes; absolute, or relative to the results folder.

    Returns
    -------
    str
        Relative, or with the scheme ``file``.
    """
    drive = re.match(r"([A-Za-z]:)/", path)
    if drive:
        return f"file:///{drive.group(1)}{_quote(path[2:])}"
    if path.startswith("/"):
        # A second slash would make the first folder a host.
        return f"file:///{_quote(path.lstrip('/'))}"
    return _quote(path)


def _quote(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")

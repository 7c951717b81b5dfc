"""Files that are written whole or not at all, and names that are derived from what a file holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from abxfast.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY_PREFIX = ".tmp-"
"""Prefix of the name of a file that is being written."""
STALE_S = 3600.0
"""Age in seconds at which a temporary file belongs to a process that is gone: writing one takes seconds."""
_RENAME_ATTEMPTS = 6


def write_atomic(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all, even if the power fails.

    Folders that are missing are created.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` once it is complete and on disk.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        remove(temporary)  # exists only if something went wrong
    _sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file; one that is gone, or that another program holds open (Windows), is left to the next run."""
    with contextlib.suppress(OSError):
        path.unlink()


def remove_stale(root: Path) -> None:
    """Remove temporary files that processes left behind, from a folder and its subfolders."""
    for pattern in (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*"):
        for path in root.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()


def relative_path(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with forward slashes; absolute if it is on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def json_digest(value: object) -> str:
    """Return the SHA-256 of a value written as JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def _rename(temporary: Path, path: Path) -> None:
    for attempt in range(1, _RENAME_ATTEMPTS + 1):
        try:
            temporary.replace(path)
        except PermissionError:
            if os.name != "nt" or attempt == _RENAME_ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)  # virus scanners and indexers open each new file for a moment
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk; Windows has no such call, and some network drives refuse it."""
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(number)
            finally:
                os.close(number)

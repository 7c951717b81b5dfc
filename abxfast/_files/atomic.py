"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from typing import IO, TYPE_CHECKING

from abxfast.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"
"""Prefix of the names of files that are being written."""
STALE_S = 3600.0
"""Age in seconds from which a temporary file is taken to be abandoned: writing one takes seconds."""
_ORPHAN_S = 60.0
_RENAME_ATTEMPTS = 6
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_atomic(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically: after a crash or a power failure it is complete or absent, or as it was before.

    Missing folders are created.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing, which replaces `path` once it is complete and on disk.

    If an exception is raised meanwhile, the temporary file is removed and `path` is left as it was.

    Yields
    ------
    file object
        Open for writing in binary mode.

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
        reason = error.strerror or str(error)
        if is_disk_full(error):
            reason = f"the disk is full, {_free_mb(path):.1f} MB are left: remove or move files, then run this again"
        raise OutputError(f"{path}: cannot be written ({reason})") from error
    finally:
        remove(temporary)  # exists only after a failure
    _sync_folder(path.parent)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error was caused by a full disk or an exceeded quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            return True
        error = error.__cause__
    return False


def _free_mb(path: Path) -> float:
    """Return the space left on the drive of a file; 0 if its folder does not exist."""
    try:
        return shutil.disk_usage(path.parent).free / 1e6
    except OSError:
        return 0.0


def remove(path: Path) -> None:
    """Remove a file; do nothing if it does not exist or cannot be removed, as when a program has it open on Windows."""
    with contextlib.suppress(OSError):
        path.unlink()


def remove_stale(root: Path) -> None:
    """Remove abandoned temporary files from a folder and its immediate subfolders.

    They are older than `STALE_S`; or, if no process with the number in their names runs on this machine, older than
    `_ORPHAN_S`: on a network drive, the process may run on another one.
    """
    for pattern in (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*"):
        for path in root.glob(pattern):
            with contextlib.suppress(OSError):
                age_s = time.time() - path.stat().st_mtime
                if age_s > STALE_S or (age_s > _ORPHAN_S and not _is_running(path)):
                    path.unlink()


def _is_running(temporary: Path) -> bool:
    """Return whether the process that wrote a temporary file may still run."""
    number = temporary.name.removeprefix(TEMPORARY_PREFIX).partition("-")[0]
    if os.name == "nt" or not number.isdecimal():  # on Windows, os.kill would end it
        return True
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _rename(temporary: Path, path: Path) -> None:
    """Rename a file; on Windows, try again while another program has either open."""
    for attempt in range(1, _RENAME_ATTEMPTS + 1):
        try:
            temporary.replace(path)
        except PermissionError:
            if os.name != "nt" or attempt == _RENAME_ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)  # virus scanners and indexers open new files briefly
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk; Windows has no such call, and some network drives refuse it."""
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

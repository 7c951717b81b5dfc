"""Writing a large file in several steps, so that it appears complete or not at all."""

from __future__ import annotations

import glob
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_NAME = ".lock"
_MIN_AGE_S = 10.0


@contextmanager
def staged_path(path: Path) -> Iterator[Path]:
    """Yield the path of a file to be written in a temporary folder beside `path`, which is removed at the end."""
    with disk_errors(path):
        _remove_abandoned(path)
        temporary = TemporaryDirectory(prefix=f"{path.name}.making-", dir=path.parent, ignore_cleanup_errors=True)
    # The lock of a killed process is released: whoever exports to this path next can tell, and removes its folder.
    with temporary as folder, FileLock(Path(folder) / _LOCK_NAME):
        yield Path(folder) / path.name


def _remove_abandoned(path: Path) -> None:
    """Remove temporary folders whose process was killed."""
    for folder in path.parent.glob(f"{glob.escape(path.name)}.making-*"):
        if time.time() - folder.stat().st_mtime < _MIN_AGE_S:
            continue  # it may not be locked yet
        try:
            FileLock(folder / _LOCK_NAME).acquire(timeout=0).lock.release()
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError` to an `ExportError` that names a file in one line."""
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be written ({error.strerror}); free some space, or choose another folder"
        ) from error

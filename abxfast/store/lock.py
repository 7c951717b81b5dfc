"""The lock of a store, held by one process at a time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from abxfast.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = ".lock"


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, waiting while another process holds it; create the folder if it is missing.

    The operating system releases the lock when the process that holds it ends, even if it is killed.

    Yields
    ------
    bool
        Whether the lock is held: some network drives have no locks.

    Raises
    ------
    StoreError
        If the folder cannot be written to.
    """
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()  # tells a folder that cannot be written to from a drive without locks
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error
    # Imported here: filelock registers fork hooks, and takes longer to import than the rest of this package.
    from filelock import FileLock  # noqa: PLC0415

    # preserve_lock_file: never remove the file that others wait for, nor fall back to one that outlives a killed
    # process where flock is missing.
    lock = FileLock(path, preserve_lock_file=True)
    with contextlib.suppress(OSError):  # no locks on this drive
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()

"""A lock between processes, on every system; it goes with the process that holds it, also when that is killed."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from abxfast.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

LOCK_NAME = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, which is made where there is none; wait while another process holds it.

    Yields
    ------
    bool
        Whether it is held: some network drives have no locks.

    Raises
    ------
    StoreError
        Where the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_NAME).open("ab")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error
    with file:  # closing it gives the lock back
        try:
            _wait_for(file)
        except OSError:
            yield False
            return
        yield True


if sys.platform == "win32":
    import errno
    import msvcrt

    def _wait_for(file: IO[bytes]) -> None:
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError as error:
                if error.errno == errno.EDEADLOCK:  # tried for ten seconds
                    continue
                raise
            return

else:
    import fcntl

    def _wait_for(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

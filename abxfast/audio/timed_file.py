"""Files that libsndfile reads through Python, so that it can be stopped."""

from __future__ import annotations

import io
import os
import time

DEFAULT_TIMEOUT_S = 600.0
"""Seconds that opening a recording, decoding one block of it, or encoding one snippet may take."""


class TimedFile(io.FileIO):
    """A file that ends when a time limit is over, or when reading it was interrupted.

    libsndfile decodes in C, where nothing can stop it; but it reads through this object, and gives up where the file
    ends. An exception cannot pass through C: it is kept in `error`.

    Attributes
    ----------
    error : BaseException or None
        Why the file ended before its end: `TimeoutError`, a failed read, or Ctrl-C.
    """

    error: BaseException | None = None
    _deadline = float("inf")
    _seek_failed = False

    def allow(self, seconds: float) -> None:
        """Let the file be read for so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; return 0 once there is an error."""
        try:
            if self.error is None and time.monotonic() > self._deadline:
                self.error = TimeoutError()
            return 0 if self.error else self._read_real(buffer)
        except BaseException as error:  # noqa: BLE001  # raised again by who called libsndfile
            self.error = error
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; where there is none, as in a damaged file, `tell` returns -1 once, as C's lseek does."""
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            self._seek_failed = True
            return -1

    def tell(self) -> int:
        """Return the position, or -1 after a failed `seek`."""
        if self._seek_failed:
            self._seek_failed = False
            return -1
        return super().tell()

    def _read_real(self, buffer: bytearray | memoryview) -> int:
        return super().readinto(buffer) or 0

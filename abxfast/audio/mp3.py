"""MP3 files without a header that declares their length."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from abxfast.audio.containers import id3_bytes
from abxfast.audio.timed_file import TimedFile

if TYPE_CHECKING:
    from pathlib import Path

_MAX_HEADER = 210
"""Bytes in which the header begins and counts."""


def declares_length(path: Path) -> bool:
    """Return whether the first frame of an MP3 file is a header (Xing, Info or VBRI) that counts the frames."""
    return _header(path) is not None


def missing_bytes(path: Path) -> int:
    """Return how many bytes the file lacks of those that its header counts; 0 if it counts none."""
    header = _header(path)
    if header is None or header.n_bytes is None:
        return 0
    return max(0, header.first_frame + header.n_bytes - path.stat().st_size)


class _Header(NamedTuple):
    """Where the first frame begins, and the bytes from there to the end of the audio."""

    first_frame: int
    n_bytes: int | None


def _header(path: Path) -> _Header | None:
    with path.open("rb") as file:
        head = file.read(10)
        first_frame = id3_bytes(head) if head.startswith(b"ID3") else 0
        file.seek(first_frame)
        head = file.read(_MAX_HEADER)
    for tag in (b"Xing", b"Info"):
        at = head.find(tag)
        if at >= 0:
            flags = head[at + 7] if len(head) > at + 7 else 0
            counts = head[at + 8 + 4 * (flags & 1) :][:4] if flags & 2 else b""
            return _Header(first_frame, int.from_bytes(counts, "big") or None)
    at = head.find(b"VBRI")
    return _Header(first_frame, int.from_bytes(head[at + 10 : at + 14], "big") or None) if at >= 0 else None


class UnboundedFile(TimedFile):
    """A file that claims to be too large for its length in samples to be estimated.

    Without a header, libmpg123 estimates the length of an MP3 from the sizes of the file and of its first frame, and
    libsndfile stops there: most of a recording with a variable bit rate would be lost. With a size beyond any real
    one, they decode the file to its end.
    """

    _CLAIMED_SIZE = 1 << 40
    _claimed_position: int | None = None
    """Position relative to the claimed size; ``None`` while the file is read at a real position."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, which counts from the claimed size if `whence` is the end."""
        self._claimed_position = self._CLAIMED_SIZE + offset if whence == os.SEEK_END else None
        return super().seek(offset, whence) if self._claimed_position is None else self._claimed_position

    def tell(self) -> int:
        """Return the position, real or claimed."""
        return super().tell() if self._claimed_position is None else self._claimed_position

    def _read_real(self, buffer: bytearray | memoryview) -> int:
        """Read into a buffer; past the real end, leave it as it is.

        libmpg123 looks for an ID3v1 tag near the claimed end, and fails if it cannot read there.
        """
        return super()._read_real(buffer) if self._claimed_position is None else len(buffer)

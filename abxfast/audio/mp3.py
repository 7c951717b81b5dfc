"""MP3 files without a header that declares their length."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def declares_length(path: Path) -> bool:
    """Return whether the first frame of an MP3 file is a header (Xing, Info or VBRI) that counts the frames."""
    with path.open("rb") as file:
        head = file.read(10)
        if head.startswith(b"ID3"):
            # An ID3v2 tag precedes the audio; its size has seven bits a byte.
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
            head = b""
        head += file.read(200)
    return any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))


class UnboundedFile(io.FileIO):
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

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; past the real end, leave it as it is.

        libmpg123 looks for an ID3v1 tag near the claimed end, and fails if it cannot read there.
        """
        return (super().readinto(buffer) or 0) if self._claimed_position is None else len(buffer)

"""Ogg: its pages, walked from the first to the last before anything is decoded.

libsndfile takes a file that is cut within a page for one with junk at its end, skips lost pages without a word, and
searches for minutes in junk that looks like pages.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

from abxfast.audio.formats import conversion_command
from abxfast.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = struct.Struct("<4sBBqIIIB")
"""Capture pattern, version, flags, position, serial number, page number, checksum, number of segments."""
_FIRST_PAGE, _LAST_PAGE = 2, 4
"""Flags of the first and the last page of a stream."""
_MAX_JUNK = 1 << 16
"""Bytes after the last page that are ignored."""
_CHECKSUM_AT = slice(22, 26)
_POLYNOMIAL = 0x04C11DB7


def check_ogg(path: Path) -> bool:
    """Check that a file is one stream of pages, none of which is missing; return whether its end is marked.

    Some writers do not mark the last page. Such a file looks exactly as one that was cut between two pages, which is
    rare: it is accepted if its last page is whole and undamaged; `stream` warns of it.

    Raises
    ------
    AudioError
        If it is cut short or damaged, or contains several streams.
    """
    with path.open("rb") as file:
        serial, number, is_last, page = None, 0, False, b""
        while not is_last:
            header = _read_page(file)
            if header is None:
                break
            page, flags, page_serial, page_number = header
            if serial is not None and (page_serial != serial or flags & _FIRST_PAGE):
                raise _several(path)
            if serial is not None and page_number != (number + 1) % (1 << 32):
                raise AudioError(
                    f"{path}: is damaged: page {number + 1} is missing, page {page_number} follows; "
                    f"copy it again, or save what is left: {conversion_command(path, '-whole')}"
                )
            serial, number, is_last = page_serial, page_number, bool(flags & _LAST_PAGE)
        rest = file.read(_MAX_JUNK + 1)
    if not is_last and rest:
        raise _cut_short(path, "its last page is incomplete")
    if _checksum(page) != int.from_bytes(page[_CHECKSUM_AT], "little"):
        raise _cut_short(path, "the checksum of its last page does not match")
    if rest.startswith(b"OggS\0"):
        raise _several(path)
    if b"OggS" in rest or len(rest) > _MAX_JUNK:
        raise AudioError(
            f"{path}: is damaged: something else follows the end of its audio; "
            f"copy it again, or save what is left: {conversion_command(path, '-whole')}"
        )
    return is_last


def _read_page(file: IO[bytes]) -> tuple[bytes, int, int, int] | None:
    """Return the next page, its flags, serial number and page number; None, and back to its start, if it is no page."""
    start = file.tell()
    header = file.read(_PAGE.size)
    if len(header) == _PAGE.size:
        pattern, version, flags, _, serial, number, _, n_segments = _PAGE.unpack(header)
        segments = file.read(n_segments)
        body = file.read(sum(segments))
        if pattern == b"OggS" and version == 0 and len(segments) == n_segments and len(body) == sum(segments):
            return header + segments + body, flags, serial, number
    file.seek(start)
    return None


def _several(path: Path) -> AudioError:
    return AudioError(
        f"{path}: contains several recordings, one after the other, expected one; "
        f"join them first: {conversion_command(path, '-whole')}"
    )


def _cut_short(path: Path, reason: str) -> AudioError:
    return AudioError(
        f"{path}: is cut short: {reason}; copy it again, or save what is left: {conversion_command(path, '-whole')}"
    )


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_TABLE = _table()


def _checksum(page: bytes) -> int:
    """Return the CRC of a page, in which the field of the checksum counts as zero."""
    value = 0
    for byte in page[: _CHECKSUM_AT.start] + bytes(4) + page[_CHECKSUM_AT.stop :]:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value

"""Reading protocol buffers: the fields of a message, without a schema and without copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_FIELDS = 5_000_000
"""Fields and integers of a file that are read at most; a large encoder has some 100,000."""
_MORE_FOLLOW = 0x80
_MAX_SHIFT = 63


class MessageReader:
    """Reads the messages of one file; raises ValueError if they are damaged or too many."""

    def __init__(self) -> None:
        self._n_fields = 0

    def fields(self, message: memoryview) -> Iterator[tuple[int, Any]]:
        """Yield the number of each field of a message, and its content: an int or a memoryview."""
        at = 0
        while at < len(message):
            self._count(1)
            key, at = _varint(message, at)
            kind = key & 7
            if kind == _VARINT:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            if kind == _LENGTH:
                size, at = _varint(message, at)
            elif kind in (_FIXED32, _FIXED64):
                size = 4 if kind == _FIXED32 else 8
            else:
                raise ValueError(kind)
            if at + size > len(message):
                raise ValueError(at)
            yield key >> 3, message[at : at + size]
            at += size

    def integers(self, value: memoryview | int) -> list[int]:
        """Return the integers of a repeated field, which are packed into bytes or come one by one."""
        if isinstance(value, int):
            return [_signed(value)]
        integers, at = [], 0
        while at < len(value):
            self._count(1)
            integer, at = _varint(value, at)
            integers.append(_signed(integer))
        return integers

    def _count(self, n: int) -> None:
        self._n_fields += n
        if self._n_fields > _MAX_FIELDS:
            raise ValueError(self._n_fields)


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return the integer at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & ~_MORE_FOLLOW) << shift
        if byte < _MORE_FOLLOW:
            return value, at
        shift += 7
        if shift > _MAX_SHIFT:
            raise ValueError(at)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value

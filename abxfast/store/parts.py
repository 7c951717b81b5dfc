"""Parts: the Parquet files that hold the snippets of a store, and which rows are which snippets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MAX_SNIPPETS = 1 << 40


class Span(NamedTuple):
    """Rows ``row`` to ``row + length`` of a part are snippets ``first`` to ``first + length`` of entry ``key``."""

    key: str
    first: int
    row: int
    length: int


class Part(NamedTuple):
    """What the footer of a part says.

    Attributes
    ----------
    path : Path
    spans : tuple of Span
        The snippets in the part.
    keys : frozenset of str
        Keys of the entries that the footer describes, with or without rows in the part.
    size : int
        Size of the file in bytes.
    """

    path: Path
    spans: tuple[Span, ...]
    keys: frozenset[str]
    size: int


def make_spans(rows: Iterable[tuple[str, int]]) -> Iterator[Span]:
    """Join the (entry key, snippet index) pairs of consecutive rows into spans."""
    span: Span | None = None
    for row, (key, index) in enumerate(rows):
        if span and span.key == key and span.first + span.length == index:
            span = span._replace(length=span.length + 1)
            continue
        if span:
            yield span
        span = Span(key, index, row, 1)
    if span:
        yield span


def unseen_spans(span: Span, seen: set[int]) -> Iterator[Span]:
    """Yield the stretches of a span whose snippets were not seen before, and note them as seen."""
    length = 0
    for i in range(span.length + 1):
        if i < span.length and span.first + i not in seen:
            length += 1
        elif length:
            yield Span(span.key, span.first + i - length, span.row + i - length, length)
            length = 0
    seen.update(range(span.first, span.first + span.length))


def covers(spans: Iterable[Span], n_rows: int) -> bool:
    """Return whether spans, one after the other, are exactly the rows of a part."""
    row = 0
    for span in spans:
        integers = all(type(number) is int for number in span[1:])
        if not integers or span.row != row or span.first < 0 or span.length < 1 or span.first > _MAX_SNIPPETS:
            return False
        row += span.length
        if row > n_rows:
            return False
    return row == n_rows


def check_columns(path: Path, schema: pa.Schema, variants: Iterable[str], dim: int) -> None:
    """Check that a part has the columns of its store, each vector as long as the header says.

    Raises
    ------
    StoreError
        If one is missing or of another type.
    """
    expected: dict[str, pa.DataType] = dict.fromkeys(("item", "recording"), pa.string())
    expected |= dict.fromkeys(("start_s", "end_s", "snippet_s"), pa.float64())
    expected |= dict.fromkeys(variants, pa.list_(pa.float32(), dim))
    for name, kind in expected.items():
        found = schema.field(name).type if schema.names.count(name) == 1 else "missing"
        if found != kind:
            raise StoreError(
                f"{path}: its column {name!r} is {found}, the store says {kind}; put back the file that was changed, "
                "or embed into a new store"
            )

"""Parts: the Parquet files that hold the snippets of a store, and which rows are which snippets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


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

"""Parquet files of a store: written aside, synced and renamed, so that a reader never meets half of one."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._files import atomic_file
from abxfast.errors import OutputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_META = b"abxfast"


class Span(NamedTuple):
    """Rows ``row`` to ``row + length`` of a part are snippets ``first`` to ``first + length`` of entry ``key``."""

    key: str
    first: int
    row: int
    length: int


class Part(NamedTuple):
    """What the footer of a part says."""

    path: Path
    spans: tuple[Span, ...]
    keys: frozenset[str]
    size: int


def make_spans(rows: Iterable[tuple[str, int]]) -> Iterator[Span]:
    """Join (entry, snippet) pairs that follow each other."""
    open_span: Span | None = None
    for row, (key, number) in enumerate(rows):
        if open_span and open_span.key == key and open_span.first + open_span.length == number:
            open_span = open_span._replace(length=open_span.length + 1)
            continue
        if open_span:
            yield open_span
        open_span = Span(key, number, row, 1)
    if open_span:
        yield open_span


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn a failed write into a `StoreError` that says that the store is intact."""
    try:
        yield
    except OutputError as error:
        raise StoreError(f"{error}; what was stored before is safe") from error


def write_parquet(path: Path, table: pa.Table, meta: Mapping[str, Any]) -> None:
    """Write a Parquet file that holds `table`, with `meta` in its footer, atomically.

    `meta` is JSON, compressed since it repeats itself, in base 64 since a footer takes text.

    Raises
    ------
    StoreError
        Where it cannot be written.
    """
    text = base64.b64encode(zlib.compress(json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode()))
    lists = [name for name in table.column_names if pa.types.is_fixed_size_list(table.schema.field(name).type)]
    flat = [name for name in table.column_names if name not in lists]
    with (
        store_errors(),
        atomic_file(path) as file,
    ):  # straight into the file: gathered in memory first, a part would take it several times
        pq.write_table(
            table.replace_schema_metadata({_META: text}),
            file,
            # Vectors do not compress: a dictionary or zstd would cost time for nothing.
            use_dictionary=[name for name in flat if pa.types.is_string(table.schema.field(name).type)],
            compression={name: "NONE" if name in lists else "ZSTD" for name in table.column_names},
            write_statistics=flat,
            row_group_size=1 << 12,
            write_page_checksum=True,
        )


def read_meta(path: Path) -> dict[str, Any]:
    """Read the `meta` in the footer.

    Raises
    ------
    FileNotFoundError
        Where the file is gone.
    StoreError
        Where it is damaged.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        value = json.loads(zlib.decompress(base64.b64decode(file.metadata.metadata[_META], validate=True)))
        if not isinstance(value, dict):
            raise TypeError(value)
    return value


def read_columns(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file's columns, all unless named.

    Raises
    ------
    FileNotFoundError
        Where the file is gone.
    StoreError
        Where it is damaged.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read(columns=columns, use_threads=False)  # many small files: threads cost more than they give
        return table if columns is None else table.select(columns)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno:  # the system's own words; pyarrow's about the content have none
            raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise damaged(path) from error


def vector_column(vectors: NDArray[np.float32]) -> pa.Array:
    """Make a column of ``(n, dim)`` vectors."""
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def column_vectors(table: pa.Table, name: str, dim: int) -> NDArray[np.float32]:
    """Give a column of vectors as float32 ``(n, dim)``."""
    chunks = [chunk.flatten().to_numpy().reshape(-1, dim) for chunk in table[name].chunks]
    if len(chunks) == 1:
        single: NDArray[np.float32] = chunks[0]
        return single
    return np.concatenate([*chunks, np.empty((0, dim), np.float32)])


def damaged(path: Path) -> StoreError:
    """Give the error that says what to do about a file whose content is not what was written."""
    return StoreError(
        f"{path}: is damaged or cut short; delete this file and run the same abxfast embed again: "
        "only what it held is embedded anew"
    )

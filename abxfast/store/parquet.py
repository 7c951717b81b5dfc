"""Parquet files with JSON in their footers: written atomically, and checked when they are read."""

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
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_META = b"abxfast"


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn a failed write into a `StoreError` that says that the store is intact."""
    try:
        yield
    except OutputError as error:
        raise StoreError(f"{error}; what was stored before is safe") from error


def write_parquet(path: Path, table: pa.Table, meta: Mapping[str, Any]) -> None:
    """Write a Parquet file that holds `table`, with `meta` in its footer, atomically.

    `meta` is written as JSON, compressed because it repeats itself, in base 64 because a footer holds text.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    text = base64.b64encode(zlib.compress(json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode()))
    lists = [name for name in table.column_names if pa.types.is_fixed_size_list(table.schema.field(name).type)]
    flat = [name for name in table.column_names if name not in lists]
    # Written straight into the file: collected in memory first, a part would take several times its size.
    with store_errors(), atomic_file(path) as file:
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


class Footer(NamedTuple):
    """The `meta` that `write_parquet` put into the footer of a file, its columns, and its number of rows."""

    meta: dict[str, Any]
    schema: pa.Schema
    n_rows: int


def read_footer(path: Path) -> Footer:
    """Read the footer of a file.

    Raises
    ------
    FileNotFoundError
        If the file is gone.
    StoreError
        If it is damaged.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        value = json.loads(zlib.decompress(base64.b64decode(file.metadata.metadata[_META], validate=True)))
        if not isinstance(value, dict):
            raise TypeError(value)
        return Footer(value, file.schema_arrow, file.metadata.num_rows)


def read_columns(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read columns of a file, by default all of them.

    Raises
    ------
    FileNotFoundError
        If the file is gone.
    StoreError
        If it is damaged.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read(columns=columns, use_threads=False)  # on many small files, threads cost more than they save
        return table if columns is None else table.select(columns)


def list_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder, sorted by name; none if there is no such folder.

    Raises
    ------
    StoreError
        If the folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".parquet" and path.name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read ({error.strerror}); check that you may read it") from error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno:  # pyarrow's own OSErrors, about the content, have no errno
            raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise damaged(path) from error


def vector_column(vectors: NDArray[np.float32]) -> pa.Array:
    """Return vectors, shape ``(n, dim)``, as a column of fixed-size lists."""
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def column_vectors(table: pa.Table, name: str, dim: int) -> NDArray[np.float32]:
    """Return a column of vectors as float32 of shape ``(n, dim)``."""
    chunks = [chunk.flatten().to_numpy().reshape(-1, dim) for chunk in table[name].chunks]
    if len(chunks) == 1:
        single: NDArray[np.float32] = chunks[0]
        return single
    return np.concatenate([*chunks, np.empty((0, dim), np.float32)])


def damaged(path: Path) -> StoreError:
    """Return the error for a file whose content is not what was written, with its remedy."""
    return StoreError(
        f"{path}: is damaged or cut short; delete this file and run `abxfast.embed` again: "
        "only what it held is embedded again"
    )

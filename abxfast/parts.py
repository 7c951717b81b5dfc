"""Parquet files of a store: written aside, synced and renamed, so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from abxfast.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

STALE_S = 3600.0
"""Age at which a file that was being written belongs to a process that is gone."""
_META = b"abxfast"
_ASIDE = ".aside-"


def write_aside(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Raises
    ------
    StoreError
        Where it cannot be written.
    """
    aside = path.parent / f"{_ASIDE}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        if hasattr(os, "O_DIRECTORY"):  # the name itself is safe once its folder is synced; Windows has no such call
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise StoreError(f"{path}: cannot be written ({error.strerror}); what was stored before is safe") from error


def remove(path: Path) -> None:
    """Remove a file; one that is gone, or that another program holds open (Windows), is left to the next run."""
    with contextlib.suppress(OSError):
        path.unlink()


def remove_stale(root: Path) -> None:
    """Remove what processes that are gone were writing."""
    for path in root.glob(f"*/{_ASIDE}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def to_parquet(table: pa.Table, meta: Mapping[str, Any]) -> memoryview:
    """Give the bytes of a Parquet file that holds `table`, with `meta` as JSON in its footer."""
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":"))
    sink = pa.BufferOutputStream()
    lists = [name for name in table.column_names if pa.types.is_fixed_size_list(table.schema.field(name).type)]
    flat = [name for name in table.column_names if name not in lists]
    pq.write_table(
        table.replace_schema_metadata({_META: text.encode()}),
        sink,
        # Vectors do not compress: a dictionary or zstd would cost time for nothing.
        use_dictionary=[name for name in flat if pa.types.is_string(table.schema.field(name).type)],
        compression={name: "NONE" if name in lists else "ZSTD" for name in table.column_names},
        write_statistics=flat,
        row_group_size=1 << 16,
    )
    return memoryview(sink.getvalue())


def read_meta(path: Path) -> dict[str, Any]:
    """Read the JSON in the footer.

    Raises
    ------
    FileNotFoundError
        Where the file is gone.
    StoreError
        Where it is damaged.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        value = json.loads(metadata[_META])
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(value, dict):
        raise _damaged(path)
    return value


def read_columns(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file's columns, all unless named.

    Raises
    ------
    StoreError
        Where the file is damaged.
    """
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(path) from error


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


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path}: is damaged or cut short; delete this file and run the same abxfast embed again: "
        "only what it held is embedded anew"
    )

"""Write the result tables of a study."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._files import format_csv, write_atomic
from abxfast.results.schema import DICTIONARY_FILE, TABLES, Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Row = dict[str, Any]
"""One row of a table: values by column; a column that is missing is null."""

_SIGNIFICANT_DIGITS = 10
"""Digits kept of a number: more than its precision, and few enough that every processor rounds alike."""


def write_tables(
    folder: Path, rows: Mapping[str, Sequence[Row]], metadata: Mapping[str, str], *, excel: bool = False
) -> None:
    """Write every table as Parquet, CSV and JSON, and the data dictionary.

    Parameters
    ----------
    folder : Path
        Created if missing.
    rows : mapping of str to sequence of dict
        Rows of each table, by its name in `TABLES`. A table without rows is written as well.
    metadata : mapping of str to str
        Metadata columns of the table ``recordings``: from the name in the manifest to the name in the table.
    excel : bool
        Whether the CSV files begin with a byte order mark, without which Excel does not read UTF-8.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in TABLES.items():
        table = _make_table(rows.get(name, ()), schema.columns | _metadata_columns(name, metadata))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_atomic(folder / f"{name}.parquet", memoryview(sink.getvalue()))
        write_atomic(folder / f"{name}.csv", format_csv(table, excel=excel).encode())
        write_atomic(folder / f"{name}.json", _format_json(table.to_pylist(), allow_nan=False))
    write_atomic(folder / DICTIONARY_FILE, _format_json(_data_dictionary(metadata)))


def _metadata_columns(table: str, metadata: Mapping[str, str]) -> dict[str, Column]:
    if table != "recordings":
        return {}
    return {column: Column(pa.string(), f"column {name!r} of the manifest") for name, column in metadata.items()}


def _make_table(rows: Sequence[Row], columns: Mapping[str, Column]) -> pa.Table:
    """Return rows as a table; a number that is not finite becomes null."""
    return pa.table(
        {name: pa.array([_rounded(row.get(name)) for row in rows], column.type) for name, column in columns.items()}
    )


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    return value


def _data_dictionary(metadata: Mapping[str, str]) -> dict[str, object]:
    return {
        name: {
            "row": schema.description,
            "columns": {
                column: {"type": str(kind), "meaning": meaning}
                for column, (kind, meaning) in (schema.columns | _metadata_columns(name, metadata)).items()
            },
        }
        for name, schema in TABLES.items()
    }


def _format_json(value: object, *, allow_nan: bool = True) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, allow_nan=allow_nan)}\n".encode()

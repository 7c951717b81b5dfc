"""Label columns: one value per snippet, in any form that pyarrow takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abxfast.errors import TaskError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Labels: TypeAlias = Mapping[str, Sequence[object]] | pa.Table


def label_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return names of labels as a tuple; a single string is one name."""
    return (labels,) if isinstance(labels, str) else tuple(labels)


def column_names(labels: Labels) -> list[str]:
    """Return the names of the columns."""
    return list(labels.column_names if isinstance(labels, pa.Table) else labels)


def encode_label(name: str, labels: Labels) -> tuple[NDArray[np.int64], pa.Array]:
    """Encode a column as integers.

    Parameters
    ----------
    name : str
    labels : mapping of str to sequence, or pyarrow.Table

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        Index of each row's value in `values`.
    values : pyarrow.Array
        The distinct values, sorted.

    Raises
    ------
    TaskError
        If the column does not exist, lacks a value (None, NaN) or mixes types.
    """
    known = column_names(labels)
    if name not in known:
        raise TaskError(f"no label {name!r}; there are: {', '.join(known)}")
    column = labels[name]
    try:
        array = pa.chunked_array(column) if isinstance(column, pa.ChunkedArray) else pa.array(column, from_pandas=True)
    except pa.ArrowException as error:
        raise TaskError(f"label {name!r} mixes types of values ({error})") from error
    except UnicodeEncodeError as error:
        raise TaskError(f"label {name!r} has a value that is not text: {error.object!r}; rename it") from error
    if pa.types.is_nested(array.type):
        raise TaskError(f"label {name!r} has values of type {array.type}, expected texts or numbers, one for each row")
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if array.null_count:
        row = array.is_null().index(True).as_py()
        raise TaskError(f"label {name!r} has no value in row {row} (and {array.null_count - 1} more)")
    encoded = array.dictionary_encode() if not pa.types.is_dictionary(array.type) else array
    values = encoded.dictionary
    rank = np.empty(len(values), np.int64)
    order = pc.sort_indices(values)
    rank[order.to_numpy()] = np.arange(len(values))
    return rank[encoded.indices.to_numpy()], values.take(order)

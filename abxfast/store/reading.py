"""Reading vectors: the parts of a store decoded into arrays, in memory or in a scratch file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast._files import allocate
from abxfast.store import parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from abxfast.store.entries import EntryState
    from abxfast.store.parts import Part


@dataclass(frozen=True)
class Snippets:
    """The snippets of one length, ordered by item, then by time.

    Attributes
    ----------
    items, recordings : list of str, length n
    start_s, end_s : ndarray of float64, shape (n,)
    embeddings : ndarray of float32, shape (n, dim)
        float64 if they were standardised. In memory, or mapped from a scratch file that is deleted with the array.
    """

    items: list[str]
    recordings: list[str]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    embeddings: NDArray[np.float32] | NDArray[np.float64]


def read_snippets(
    parts: Iterable[Part], entries: Mapping[str, EntryState], variant: str, dim: int, *, memory_mb: float
) -> Snippets:
    """Decode the vectors of complete entries.

    Parameters
    ----------
    parts : iterable of Part
    entries : mapping of str to EntryState
        The entries to read by key, in the order of the result.
    variant : str
    dim : int
        Length of a vector.
    memory_mb : float
        Larger arrays are mapped from a scratch file.

    Raises
    ------
    FileNotFoundError
        If a part is gone.
    StoreError
        If a part cannot be read.
    OutputError
        If there is no room for the scratch file.
    """
    offsets: dict[str, int] = {}
    items: list[str] = []
    recordings: list[str] = []
    for key, state in entries.items():
        n_snippets = len(state.done)
        offsets[key] = len(items)
        items += [state.entry.item] * n_snippets
        recordings += [state.entry.recording] * n_snippets
    embeddings = allocate((len(items), dim), np.float32, memory_mb)
    start_s, end_s = np.empty(len(items)), np.empty(len(items))
    for part in parts:
        spans = [span for span in part.spans if span.key in offsets]
        if not spans:
            continue
        table = parquet.read_columns(part.path, ["start_s", "end_s", variant])
        vectors = parquet.column_vectors(table, variant, dim)
        starts, ends = table["start_s"].to_numpy(), table["end_s"].to_numpy()
        for span in spans:
            first = offsets[span.key] + span.first
            source, target = slice(span.row, span.row + span.length), slice(first, first + span.length)
            embeddings[target], start_s[target], end_s[target] = vectors[source], starts[source], ends[source]
    return Snippets(items, recordings, start_s, end_s, embeddings)

"""Reading vectors: the parts of a store decoded into arrays, in memory or in a scratch file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast._files import allocate
from abxfast.store import parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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

    def take(self, rows: NDArray[np.int64]) -> Snippets:
        """Return the snippets of some rows."""
        items, recordings = ([column[row] for row in rows.tolist()] for column in (self.items, self.recordings))
        return Snippets(items, recordings, self.start_s[rows], self.end_s[rows], self.embeddings[rows])


def read_snippets(
    parts: Iterable[Part], entries: Mapping[str, EntryState], variant: str | None, dim: int, *, memory_mb: float
) -> Snippets:
    """Decode the snippets of complete entries.

    Parameters
    ----------
    parts : iterable of Part
    entries : mapping of str to EntryState
        The entries to read by key, in the order of the result.
    variant : str or None
        ``None`` reads no vectors: their array has no columns.
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
    embeddings = allocate((len(items), dim if variant else 0), np.float32, memory_mb)
    start_s, end_s = np.empty(len(items)), np.empty(len(items))
    for part in parts:
        spans = [span for span in part.spans if span.key in offsets]
        if not spans:
            continue
        table = parquet.read_columns(part.path, ["start_s", "end_s", *([variant] if variant else [])])
        vectors = parquet.column_vectors(table, variant, dim) if variant else np.empty((len(table), 0), np.float32)
        starts, ends = table["start_s"].to_numpy(), table["end_s"].to_numpy()
        for span in spans:
            first = offsets[span.key] + span.first
            source, target = slice(span.row, span.row + span.length), slice(first, first + span.length)
            embeddings[target], start_s[target], end_s[target] = vectors[source], starts[source], ends[source]
    return Snippets(items, recordings, start_s, end_s, embeddings)


class LazyVectors:
    """The vectors of complete entries, each part of the store decoded when a row of it is first needed.

    Parameters
    ----------
    parts, entries, variant, dim, memory_mb
        See `read_snippets`. Rows are numbered as there.

    Raises
    ------
    StoreError
        If there is no room for the scratch file.
    """

    def __init__(
        self, parts: Iterable[Part], entries: Mapping[str, EntryState], variant: str, dim: int, *, memory_mb: float
    ) -> None:
        self._variant = variant
        self._parts = list(parts)
        self._loaded: set[int] = set()
        self._offsets: dict[str, int] = {}
        n = 0
        for key, state in entries.items():
            self._offsets[key] = n
            n += len(state.done)
        self._embeddings = allocate((n, dim), np.float32, memory_mb)
        self._part_of_row = np.empty(n, np.int64)
        for number, part in enumerate(self._parts):
            for target, _ in self._targets(part):
                self._part_of_row[target] = number

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of rows, float32 of shape ``(len(rows), dim)``.

        Raises
        ------
        FileNotFoundError
            If a part is gone.
        StoreError
            If a part cannot be read.
        """
        for number in np.unique(self._part_of_row[rows]).tolist():
            if number not in self._loaded:
                table = parquet.read_columns(self._parts[number].path, [self._variant])
                vectors = parquet.column_vectors(table, self._variant, self._embeddings.shape[1])
                for target, source in self._targets(self._parts[number]):
                    self._embeddings[target] = vectors[source]
                self._loaded.add(number)
        return np.asarray(self._embeddings[rows])

    def _targets(self, part: Part) -> Iterator[tuple[slice, slice]]:
        """Yield rows of the array, and the rows of a part that belong there."""
        for span in part.spans:
            if span.key in self._offsets:
                first = self._offsets[span.key] + span.first
                yield slice(first, first + span.length), slice(span.row, span.row + span.length)

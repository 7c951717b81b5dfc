"""What gathers snippets on their way into a store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from abxfast.store.entries import EntryState, StoreEntry
from abxfast.store.store import Row, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLUSH_S = 5.0
"""A crash loses at most what these seconds had gathered."""
FLUSH_BYTES = 16 << 20
FLUSH_ROWS = 1_000
"""A row of a small encoder takes ten times the memory of its vectors: this bounds what is gathered, not their bytes."""


class StoreWriter:
    """Gathers snippets and adds them to a store as parts, every few seconds.

    Parameters
    ----------
    store : Store
    first_at_once : bool
        Write the first snippet as soon as it comes: a disk that takes nothing is met before hours of work.

    Notes
    -----
    Leaving the ``with`` block, in whatever way, writes what is gathered.
    """

    def __init__(self, store: Store, *, first_at_once: bool = False) -> None:
        self._store = store
        self._rows: list[Row] = []
        self._states: dict[str, EntryState] = {}
        self._bytes = 0
        self._flushed = time.monotonic() - (FLUSH_S if first_at_once else 0.0)
        self._begun_ns = store.next_ns()

    def __enter__(self) -> Self:
        """Give the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is gathered."""
        self.flush()

    def add(self, entry: StoreEntry, number: int, start_s: float, end_s: float, vectors: NDArray[np.float32]) -> None:
        """Take the vectors of snippet `number` of an entry, float32 ``(variants, dim)``."""
        self._rows.append(Row(self._state(entry), number, start_s, end_s, vectors))
        self._bytes += vectors.nbytes
        full = self._bytes >= FLUSH_BYTES or len(self._rows) >= FLUSH_ROWS
        if full or time.monotonic() - self._flushed >= FLUSH_S:
            self.flush()

    def finish(self, entry: StoreEntry, total: int) -> None:
        """Note that an entry has `total` snippets, all of which have been or will be added, or are in the store."""
        self._states[self._state(entry)].total = total

    def flush(self) -> None:
        """Write what is gathered."""
        if self._states:
            self._store.write(self._rows, self._states)
        self._rows, self._states, self._bytes = [], {}, 0
        self._flushed = time.monotonic()

    def _state(self, entry: StoreEntry) -> str:
        key = entry.key(self._store.encoder_sha256)
        if key not in self._states:
            self._states[key] = EntryState(entry, self._begun_ns)
        return key

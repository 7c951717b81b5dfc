"""Collecting snippets on their way into a store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from abxfast.errors import AbxfastError
from abxfast.store.entries import EntryState, StoreEntry
from abxfast.store.store import SnippetRow, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

FLUSH_S = 5.0
"""A crash loses at most the snippets of these seconds."""
FLUSH_BYTES = 16 << 20
FLUSH_ROWS = 1_000
"""A row of a small encoder takes ten times the memory of its vectors, so their bytes alone would not bound it."""


class StoreWriter:
    """Collects snippets and adds them to a store as parts, every few seconds.

    Leaving the ``with`` block in any way writes what is collected.

    Parameters
    ----------
    store : Store
    flush_first : bool
        Write the first snippet immediately, so that an unwritable disk shows before hours of work.
    check : callable, optional
        Called before snippets are written; if it raises an error, they are dropped.
    """

    def __init__(self, store: Store, *, flush_first: bool = False, check: Callable[[], None] | None = None) -> None:
        self._store = store
        self._check = check
        self._rows: list[SnippetRow] = []
        self._states: dict[str, EntryState] = {}
        self._n_bytes = 0
        self._last_flush = time.monotonic() - (FLUSH_S if flush_first else 0.0)
        self._started_ns = store.next_timestamp_ns()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is collected."""
        self.flush()

    def add(self, entry: StoreEntry, number: int, start_s: float, end_s: float, vectors: NDArray[np.float32]) -> None:
        """Add snippet `number` of an entry; `vectors` is float32 of shape ``(variants, dim)``.

        Raises
        ------
        StoreError
            If the snippets collected so far cannot be written.
        """
        self._rows.append(SnippetRow(self._track(entry), number, start_s, end_s, vectors))
        self._n_bytes += vectors.nbytes
        full = self._n_bytes >= FLUSH_BYTES or len(self._rows) >= FLUSH_ROWS
        if full or time.monotonic() - self._last_flush >= FLUSH_S:
            self.flush()

    def finish(self, entry: StoreEntry, total: int) -> None:
        """Record that an entry has `total` snippets, each of which is in the store or is added to this writer."""
        self._states[self._track(entry)].total = total

    def flush(self) -> None:
        """Write what is collected.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        try:
            if self._check:
                self._check()
        except AbxfastError:
            self._clear()
            raise
        if self._states:
            self._store.write(self._rows, self._states)
        self._clear()

    def _clear(self) -> None:
        self._rows, self._states, self._n_bytes = [], {}, 0
        self._last_flush = time.monotonic()

    def _track(self, entry: StoreEntry) -> str:
        """Return the key of an entry, and record its state with the next part."""
        key = entry.key(self._store.encoder_sha256)
        if key not in self._states:
            self._states[key] = EntryState(entry, self._started_ns)
        return key

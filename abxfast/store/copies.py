"""Recordings of a store that are byte for byte the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from abxfast.store.store import Store

logger = logging.getLogger(__name__)

_MAX_NAMED = 5


def find_byte_copies(store: Store, items: Collection[str] | None = None) -> list[tuple[str, str]]:
    """Find recordings whose files, and stretches of them, have the same content.

    Parameters
    ----------
    store : Store
    items : collection of str, optional
        Items to consider, by default all.

    Returns
    -------
    list of (str, str)
        Each copy with the first recording, by name, that it is a copy of: the first recording, then the copy.
    """
    stretches: dict[str, set[tuple[str, float | None, float | None]]] = {}
    for key in store.current_entries().values():
        entry = store.entries[key].entry
        if items is None or entry.item in items:
            stretches.setdefault(entry.recording, set()).add((entry.content, entry.start_s, entry.end_s))
    first: dict[frozenset[tuple[str, float | None, float | None]], str] = {}
    copies = []
    for recording in sorted(stretches):
        original = first.setdefault(frozenset(stretches[recording]), recording)
        if original != recording:
            copies.append((original, recording))
    return copies


def warn_of_byte_copies(store: Store, items: Collection[str]) -> None:
    """Log a warning for each of the first few recordings that are byte for byte the same as another one."""
    copies = find_byte_copies(store, items)
    for original, copy in copies[:_MAX_NAMED]:
        logger.warning("%s holds the same audio as %s, byte for byte: leave one of them out", copy, original)
    if len(copies) > _MAX_NAMED:
        logger.warning("%d more recordings hold the same audio as another one", len(copies) - _MAX_NAMED)

"""Compaction: small parts are merged into few large ones, and superseded entries are removed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast._files import remove, remove_stale
from abxfast.store import parquet
from abxfast.store.lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abxfast.store.parts import Part
    from abxfast.store.store import Store

SMALL_PART_BYTES = 8 << 20
"""Parts below this size are merged."""
MERGED_PART_BYTES = 64 << 20
"""Size that a merged part does not exceed, unless a single part does already."""


class _KeptRow(NamedTuple):
    """A row of a part, and which snippet of which entry it holds."""

    key: str
    snippet: int
    row: int


class _KeptPart(NamedTuple):
    """A part to rewrite, and the rows to keep of it."""

    part: Part
    rows: list[_KeptRow]


def compact(store: Store, drop: Collection[str] = ()) -> None:
    """Merge small parts, and remove superseded entries, duplicate snippets, and the entries in `drop`.

    Only one process compacts at a time: two that each remove a part because the other's holds the same would lose
    both. On a drive without locks nothing is merged.

    Parameters
    ----------
    store : Store
    drop : collection of str
        Keys of entries.

    Raises
    ------
    StoreError
        If a part is damaged or the disk is full; nothing is lost then.
    """
    with lock_folder(store.root) as locked:
        store.refresh()
        if locked:
            dropped = _superseded(store) | set(drop)
            candidates, rewrite = _find_candidates(store, dropped)
            if rewrite or len(candidates) > 1:
                for group in _group_by_size(candidates):
                    _merge(store, group, dropped)
            for key in dropped:
                store.entries.pop(key, None)
        remove_stale(store.root)


def _superseded(store: Store) -> set[str]:
    """Return the keys of entries that a newer, complete one replaces; a newer unfinished one is kept to be resumed."""
    current = store.current_entries()
    superseded = set()
    for key, state in store.entries.items():
        best = current[state.entry.item, state.entry.plan.length_s]
        if best != key and store.entries[best].complete and state.written_ns <= store.entries[best].written_ns:
            superseded.add(key)
    return superseded


def _find_candidates(store: Store, dropped: set[str]) -> tuple[list[_KeptPart], bool]:
    """Return the parts that are small or hold something to remove, and whether any holds something to remove."""
    seen: dict[str, set[int]] = defaultdict(set)
    candidates: list[_KeptPart] = []
    rewrite = False
    for part in sorted(store.parts.values(), key=lambda part: (-part.size, part.path.name)):
        rows = []
        for span in part.spans:
            for i in range(span.length):
                if span.key not in dropped and span.first + i not in seen[span.key]:
                    seen[span.key].add(span.first + i)
                    rows.append(_KeptRow(span.key, span.first + i, span.row + i))
        intact = len(rows) == sum(span.length for span in part.spans) and part.keys.isdisjoint(dropped)
        if part.size < SMALL_PART_BYTES or not intact:
            candidates.append(_KeptPart(part, rows))
            rewrite = rewrite or not intact
    return candidates, rewrite


def _group_by_size(candidates: list[_KeptPart]) -> Iterator[list[_KeptPart]]:
    """Split the parts into groups to merge, none of which exceeds `MERGED_PART_BYTES`."""
    group: list[_KeptPart] = []
    size = 0
    for candidate in candidates:
        if group and size + candidate.part.size > MERGED_PART_BYTES:
            yield group
            group, size = [], 0
        group.append(candidate)
        size += candidate.part.size
    if group:
        yield group


def _merge(store: Store, group: list[_KeptPart], dropped: set[str]) -> None:
    """Replace a group of parts with one."""
    keys = set().union(*(kept.part.keys for kept in group)) - dropped
    ordered = sorted((row.key, row.snippet, table, row.row) for table, kept in enumerate(group) for row in kept.rows)
    written = None
    if keys:
        tables = [parquet.read_columns(kept.part.path) for kept in group]
        states = {key: store.entries[key] for key in sorted(keys)}
        slices = [tables[table].slice(row, length) for table, row, length in _runs(ordered)]
        merged = pa.concat_tables(slices) if slices else tables[0].slice(0, 0)
        written = store.add_part(merged, [(key, index) for key, index, _, _ in ordered], states)
    for part, _ in group:
        if part.path != written:
            remove(part.path)
            store.parts.pop(part.path.name, None)


def _runs(ordered: list[tuple[str, int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Join consecutive rows of one table into (table, row, length): a slice copies nothing, taking rows does."""
    start = 0
    for end in range(1, len(ordered) + 1):
        *_, table, row = ordered[start]
        if end == len(ordered) or ordered[end][2:] != (table, row + end - start):
            yield table, row, end - start
            start = end
